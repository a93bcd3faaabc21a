"""Both spatio-temporal fusions (STF): where the sentence's [SEG] tokens meet SAM2's features (spec sections 8 and 9).

The first fusion shows the [SEG] tokens the video before the language model reads them. The second, the SegPrompter,
turns what the language model made of them into a prompt of ten tokens for every frame.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from virst_cli.model.config import SEG_TOKENS, SegmentationConfig


def spatial_down(config: SegmentationConfig) -> nn.Sequential:
    """Stride-16 map to the grid of the fusions."""
    layers: list[nn.Module] = []
    for stride in config.fusion_strides:
        layers += [nn.Conv2d(config.width, config.width, 3, stride=stride, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def grid_tokens(down: nn.Module, features: Tensor) -> Tensor:
    """Maps of T frames (B,T,C,h,w) to tokens (B,T,g*g,C), each frame row by row."""
    maps = down(features.flatten(0, 1))  # B*T,C,g,g
    return maps.flatten(2).transpose(1, 2).unflatten(0, features.shape[:2])


class InitialSegFusion(nn.Module):
    """First fusion: [SEG] input embeddings (B,10,D) look at T frames (B,T,C,h,w); the gate decides how much they take."""

    def __init__(self, config: SegmentationConfig, language_width: int) -> None:
        super().__init__()
        self.spatial_down = spatial_down(config)
        self.spatial_norm = nn.LayerNorm(config.width)
        self.vision_proj = nn.Linear(config.width, language_width)
        self.norm_q = nn.LayerNorm(language_width)
        self.norm_kv = nn.LayerNorm(language_width)
        self.cross_attn = nn.MultiheadAttention(language_width, config.fusion_heads, batch_first=True)
        self.gate = nn.Parameter(torch.tensor(0.1))

    def forward(self, seg_embeddings: Tensor, features: Tensor) -> Tensor:
        tokens = self.spatial_norm(grid_tokens(self.spatial_down, features)).flatten(1, 2)  # B,T*g*g,C
        memory = self.norm_kv(self.vision_proj(tokens))  # B,T*g*g,D
        looked, _ = self.cross_attn(self.norm_q(seg_embeddings), memory, memory, need_weights=False)
        return seg_embeddings + self.gate * looked


class Rotary(nn.Module):
    """Rotary positions in time, row and column: each axis turns a third of a head's channels, in pairs; the rest stays."""

    frequencies: Tensor

    def __init__(self, head: int) -> None:
        super().__init__()
        self.channels = 2 * (head // 2 // 3)  # per axis; 10 of 32 as published
        pairs = self.channels // 2
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(pairs).float() / pairs), persistent=False)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """Turn x (B,heads,P,d) by places (P,axes): one axis (time) for queries, three for keys."""
        turned = places.shape[1] * self.channels
        angles = (places[:, :, None].float() * self.frequencies).flatten(1)  # P,axes*pairs
        cos, sin = angles.cos(), angles.sin()
        even, odd = x[..., :turned:2], x[..., 1:turned:2]  # neighbouring channels form a pair
        pairs = torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1)
        return torch.cat([pairs.flatten(-2).to(x.dtype), x[..., turned:]], dim=-1)


class Looking(NamedTuple):
    """What attention is made of: heads times tokens times frames times grid tokens, far more numbers than it is made of."""

    queries: Tensor  # B,heads,tokens,T,d   scaled
    keys: Tensor  # B,heads,T*g*g,d
    content: Tensor | None  # B,heads,T,T*g*g   the same for all tokens

    def logits(self) -> Tensor:
        """Attention before the softmax, (B,heads,tokens,T,T*g*g)."""
        tokens = self.queries.shape[2]
        logits = (self.queries.flatten(2, 3) @ self.keys.transpose(2, 3)).unflatten(2, (tokens, -1))
        return logits if self.content is None else logits + self.content[:, :, None]


class CrossAttention(nn.Module):
    """Queries that know their time look at grid tokens that know time, row and column."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width) for _ in range(4))
        self.rotary = Rotary(width // heads)

    def queries(self, x: Tensor, places: Tensor) -> Tensor:
        """(B,heads,Q,d), scaled."""
        q = self.rotary(self._split(self.q_proj(x)), places)
        return q / math.sqrt(q.shape[-1])

    def keys(self, memory: Tensor, places: Tensor) -> Tensor:
        return self.rotary(self._split(self.k_proj(memory)), places)

    def read(self, logits: Tensor, memory: Tensor) -> Tensor:
        """Logits (B,heads,Q,K) to what is found (B,Q,C)."""
        values = logits.softmax(-1).to(memory.dtype) @ self._split(self.v_proj(memory))
        return self.o_proj(values.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # B,heads,P,d


class PrompterLayer(nn.Module):
    """Post-norm decoder layer: the tokens talk to each other, look at the frames, think."""

    def __init__(self, config: SegmentationConfig) -> None:
        super().__init__()
        width = config.width
        self.self_attn = nn.MultiheadAttention(width, config.prompter_heads, batch_first=True)
        self.cross_attn = CrossAttention(width, config.prompter_heads)
        self.ff = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        if config.content_match:
            self.content_gain = nn.Parameter(torch.ones(config.prompter_heads))

    def forward(
        self, x: Tensor, memory: Tensor, query_places: Tensor, key_places: Tensor, content: Tensor | None
    ) -> tuple[Tensor, Looking]:
        """x (B,10*T,C), content (B,T,K). Returns the tokens, and how they looked, which training supervises."""
        x = self.norm1(x + self.self_attn(x, x, x, need_weights=False)[0])
        queries = self.cross_attn.queries(x, query_places).unflatten(2, (SEG_TOKENS, -1))
        if content is not None:
            content = self.content_gain.to(content)[:, None, None] * content[:, None]
        looking = Looking(queries, self.cross_attn.keys(memory, key_places), content)
        x = self.norm2(x + self.cross_attn.read(looking.logits().flatten(2, 3), memory))
        return self.norm3(x + self.ff(x)), looking


def unit(x: Tensor) -> Tensor:
    """Every vector with mean zero and variance one: the product of two then stays within bounds, however they grow."""
    return nn.functional.layer_norm(x, x.shape[-1:])


Span = tuple[float, float]  # the part of a video that some frames are from, in shares of its length
WHOLE: Span = (0.0, 1.0)
PLACES = 6  # cosines down and across a frame, of which every place in it is a sum


def cosines(parts: int, count: int, span: Span = WHOLE, device: torch.device | None = None) -> Tensor:
    """Values (parts,count) of the first cosines of a discrete cosine transform, in the middle of so many equal parts.

    What changes along a video, or across a frame, is a sum of them.
    """
    start, end = span
    middles = start + (end - start) * (torch.arange(parts, device=device) + 0.5) / parts
    return torch.cos(math.pi * middles[:, None] * torch.arange(count, device=device))


class ContentMatch(nn.Module):
    """How well each grid token fits what the sentence wants at a time, by what it shows and where; not in the published model.

    Nearly all channels of a rotary head are coded by position, so trained from nothing the SegPrompter finds where but not
    what; and the copies of a query differ only by rotary time, so it can't follow one of two things that look the same.
    """

    def __init__(self, width: int, language_width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.query = nn.Linear(SEG_TOKENS * language_width, count * width)
        self.key = nn.Linear(width, width)
        self.place = nn.Linear(SEG_TOKENS * language_width, count * PLACES**2)
        nn.init.zeros_(self.place.weight)  # nowhere in particular, until it is known better
        nn.init.zeros_(self.place.bias)

    def forward(self, seg_states: Tensor, grids: Tensor, span: Span) -> Tensor:
        """States (B,10,D) and grids (B,T,g*g,C) to (B,T,T*g*g)."""
        frames, cells = grids.shape[1:3]
        states = seg_states.flatten(1)
        times = cosines(frames, self.count, span, states.device).to(states)
        query = unit(times @ self.query(states).unflatten(1, (self.count, -1)))  # B,T,C
        what = query @ unit(self.key(grids.flatten(1, 2))).transpose(1, 2) / math.sqrt(query.shape[2])
        place = self.place(states) / math.sqrt(states.shape[1])  # else a step of training would move it too far
        course = times @ place.unflatten(1, (self.count, -1))  # B,T,PLACES**2
        across = cosines(math.isqrt(cells), PLACES, device=states.device).to(states)
        where = course @ torch.kron(across, across).T  # B,T,g*g   of the frame that is asked about
        now = torch.eye(frames, device=states.device, dtype=where.dtype)[..., None]
        return what + (where[:, :, None] * now).flatten(2)


class SegPrompter(nn.Module):
    """Second fusion: ten [SEG] states (B,10,D) and T frames (B,T,C,h,w) to a prompt of ten tokens for every frame (B,10,T,C)."""

    def __init__(self, config: SegmentationConfig, language_width: int) -> None:
        super().__init__()
        self.spatial_down = spatial_down(config)
        self.memory_norm = nn.LayerNorm(config.width)
        self.seg_proj = nn.Linear(language_width, config.width)
        self.decoder = nn.ModuleList(PrompterLayer(config) for _ in range(config.prompter_layers))
        self.content = ContentMatch(config.width, language_width, config.content_match) if config.content_match else None

    def look(self, features: Tensor) -> Tensor:
        """Every frame as a grid of tokens, (B,T,g*g,C). The same for all sentences about a video."""
        return self.memory_norm(grid_tokens(self.spatial_down, features))

    def forward(self, seg_states: Tensor, features: Tensor) -> Tensor:
        return self.mask_prompts(seg_states, self.look(features))

    def mask_prompts(self, seg_states: Tensor, grids: Tensor, looked: list[Looking] | None = None, span: Span = WHOLE) -> Tensor:
        """Prompts (B,10,T,C) from what `look` returned for frames of a span of the video.

        How every layer looked goes to `looked`.
        """
        frames = grids.shape[1]
        memory = grids.flatten(1, 2)  # B,T*g*g,C
        queries = self.seg_proj(seg_states).repeat_interleave(frames, dim=1)  # B,10*T,C   the copies differ only by rotary time
        query_places = torch.arange(frames, device=queries.device).repeat(SEG_TOKENS)[:, None]
        key_places = _places(frames, math.isqrt(grids.shape[2]), queries.device)
        content = None if self.content is None else self.content(seg_states, grids, span)  # B,T,T*g*g
        for layer in self.decoder:
            queries, looking = layer(queries, memory, query_places, key_places, content)
            if looked is not None:
                looked.append(looking)
        return queries.unflatten(1, (SEG_TOKENS, frames))


def _places(frames: int, grid: int, device: torch.device) -> Tensor:
    """Time, row and column of every grid token, (T*g*g,3)."""
    axes = (torch.arange(frames, device=device), *(torch.arange(grid, device=device),) * 2)
    return torch.cartesian_prod(*axes)
