"""The step fuse: the paper's spatio-temporal fusion (STF) of [SEG] tokens with SAM 2's features (spec sections 8 and 9).

It has two parts. In the first fusion, the [SEG] embeddings attend to the video before the language model reads them (section 8).
The second fusion, the SegPrompter, turns the language model's [SEG] states into a mask prompt of ten tokens a frame (section 9).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from virst_cli.model.config import SEG_TOKENS, SegmentationConfig


def spatial_down(config: SegmentationConfig) -> nn.Sequential:
    """Convolutions that reduce a stride-16 map to the grid of the fusions, 8x8 as published."""
    layers: list[nn.Module] = []
    for stride in config.fusion_strides:
        layers += [nn.Conv2d(config.width, config.width, 3, stride=stride, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def grid_tokens(down: nn.Module, features: Tensor) -> Tensor:
    """Maps of T frames (B,T,C,h,w) to tokens (B,T,g*g,C), row by row in each frame."""
    maps = down(features.flatten(0, 1))  # B*T,C,g,g
    return maps.flatten(2).transpose(1, 2).unflatten(0, features.shape[:2])  # B,T,g*g,C


class InitialSegFusion(nn.Module):
    """First fusion: [SEG] input embeddings (B,10,D) attend to T frames (B,T,C,h,w), through a gate (spec section 8)."""

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
        seen, _ = self.cross_attn(self.norm_q(seg_embeddings), memory, memory, need_weights=False)  # B,10,D
        return seg_embeddings + self.gate * seen


class Rotary(nn.Module):
    """Rotary position encoding in time, row and column. Each axis rotates up to a third of a head's channels, in pairs."""

    frequencies: Tensor

    def __init__(self, head: int) -> None:
        super().__init__()
        self.channels = 2 * (head // 2 // 3)  # per axis; 10 of 32 as published
        pairs = self.channels // 2
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(pairs).float() / pairs), persistent=False)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Rotates x (B,heads,P,d) by its positions.

        positions: (P,axes), with one axis (time) for queries and three (time, row, column) for keys.
        """
        rotated = positions.shape[1] * self.channels
        angles = (positions[:, :, None].float() * self.frequencies).flatten(1)  # P,axes*pairs
        cos, sin = angles.cos(), angles.sin()
        even, odd = x[..., :rotated:2], x[..., 1:rotated:2]  # neighbouring channels form a pair
        pairs = torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1)
        return torch.cat([pairs.flatten(-2).to(x.dtype), x[..., rotated:]], dim=-1)  # B,heads,P,d


class QueriesAndKeys(NamedTuple):
    """Queries and keys of an attention, kept instead of its logits, which take far more memory."""

    queries: Tensor  # B,heads,tokens,T,d   divided by the square root of d
    keys: Tensor  # B,heads,T*g*g,d
    content: Tensor | None  # B,heads,T,T*g*g   the same for all tokens

    def logits(self) -> Tensor:
        """The attention before the softmax, (B,heads,tokens,T,T*g*g)."""
        tokens = self.queries.shape[2]
        logits = (self.queries.flatten(2, 3) @ self.keys.transpose(2, 3)).unflatten(2, (tokens, -1))
        return logits if self.content is None else logits + self.content[:, :, None]


class CrossAttention(nn.Module):
    """Cross-attention from queries with a rotary time to grid tokens with a rotary time, row and column."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width) for _ in range(4))
        self.rotary = Rotary(width // heads)

    def queries(self, x: Tensor, positions: Tensor) -> Tensor:
        """Queries (B,heads,Q,d) of tokens (B,Q,C), divided by the square root of d."""
        q = self.rotary(self._split(self.q_proj(x)), positions)
        return q / math.sqrt(q.shape[-1])

    def keys(self, memory: Tensor, positions: Tensor) -> Tensor:
        """Keys (B,heads,K,d) of grid tokens (B,K,C)."""
        return self.rotary(self._split(self.k_proj(memory)), positions)

    def read(self, logits: Tensor, memory: Tensor) -> Tensor:
        """The output (B,Q,C) of the attention, from its logits (B,heads,Q,K) and the grid tokens (B,K,C)."""
        values = logits.softmax(-1).to(memory.dtype) @ self._split(self.v_proj(memory))  # B,heads,Q,d
        return self.o_proj(values.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # B,heads,P,d


class PrompterLayer(nn.Module):
    """Post-norm decoder layer: self-attention of the tokens, cross-attention to the frames, feed-forward network."""

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
        self, x: Tensor, memory: Tensor, query_positions: Tensor, key_positions: Tensor, content: Tensor | None
    ) -> tuple[Tensor, QueriesAndKeys]:
        """Returns the new tokens (B,10*T,C), and their cross-attention, which training supervises.

        x: tokens (B,10*T,C).
        memory: grid tokens (B,T*g*g,C).
        query_positions, key_positions: (10*T,1) and (T*g*g,3).
        content: output of `ContentMatch` (B,T,T*g*g), if the model has one.
        """
        x = self.norm1(x + self.self_attn(x, x, x, need_weights=False)[0])
        queries = self.cross_attn.queries(x, query_positions).unflatten(2, (SEG_TOKENS, -1))  # B,heads,10,T,d
        if content is not None:
            content = self.content_gain.to(content)[:, None, None] * content[:, None]  # B,heads,T,T*g*g
        attention = QueriesAndKeys(queries, self.cross_attn.keys(memory, key_positions), content)
        x = self.norm2(x + self.cross_attn.read(attention.logits().flatten(2, 3), memory))
        return self.norm3(x + self.ff(x)), attention


def standardised(x: Tensor) -> Tensor:
    """Every vector scaled to mean 0 and variance 1, so that the product of two stays bounded during training."""
    return nn.functional.layer_norm(x, x.shape[-1:])


Span = tuple[float, float]  # the part of a video that frames are from: its start and end as fractions of the video
WHOLE: Span = (0.0, 1.0)
PLACE_COSINES = 6  # cosines along each side of a frame; sums of their products describe where something is


def cosines(parts: int, count: int, span: Span = WHOLE, device: torch.device | None = None) -> Tensor:
    """The first basis functions of a discrete cosine transform, (parts,count). Sums of them describe change along an axis.

    parts: number of equal parts of the span, in whose middles the functions are sampled.
    count: number of functions.
    span: of the axis, on which the functions are defined from 0 to 1.
    """
    start, end = span
    middles = start + (end - start) * (torch.arange(parts, device=device) + 0.5) / parts
    return torch.cos(math.pi * middles[:, None] * torch.arange(count, device=device))


class ContentMatch(nn.Module):
    """How well each grid token matches the sentence at each time, by appearance and by place; not in the published model.

    Nearly all channels of a rotary head encode positions, so a SegPrompter that is trained from scratch learns where to look but
    not for what. And the copies of a query differ only by rotary time, so it can't follow one of two objects that look the same.
    """

    def __init__(self, width: int, language_width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.query = nn.Linear(SEG_TOKENS * language_width, count * width)
        self.key = nn.Linear(width, width)
        self.place = nn.Linear(SEG_TOKENS * language_width, count * PLACE_COSINES**2)
        nn.init.zeros_(self.place.weight)  # no place is preferred before training
        nn.init.zeros_(self.place.bias)

    def forward(self, seg_states: Tensor, grids: Tensor, span: Span) -> Tensor:
        """[SEG] states (B,10,D) and grids (B,T,g*g,C) to a term of the attention logits (B,T,T*g*g)."""
        frames, cells = grids.shape[1:3]
        states = seg_states.flatten(1)
        times = cosines(frames, self.count, span, states.device).to(states)  # T,count
        query = standardised(times @ self.query(states).unflatten(1, (self.count, -1)))  # B,T,C
        what = query @ standardised(self.key(grids.flatten(1, 2))).transpose(1, 2) / math.sqrt(query.shape[2])  # B,T,T*g*g
        place = self.place(states) / math.sqrt(
            states.shape[1]
        )  # B,count*PLACE_COSINES**2   scaled, or training steps would be too large
        place_over_time = times @ place.unflatten(1, (self.count, -1))  # B,T,PLACE_COSINES**2
        across = cosines(math.isqrt(cells), PLACE_COSINES, device=states.device).to(states)  # g,PLACE_COSINES
        where = place_over_time @ torch.kron(across, across).T  # B,T,g*g   in the frame of the query
        now = torch.eye(frames, device=states.device, dtype=where.dtype)[..., None]
        return what + (where[:, :, None] * now).flatten(2)


class SegPrompter(nn.Module):
    """Second fusion: [SEG] states (B,10,D) and T frames (B,T,C,h,w) to mask prompts of all frames (B,10,T,C) (spec section 9)."""

    def __init__(self, config: SegmentationConfig, language_width: int) -> None:
        super().__init__()
        self.spatial_down = spatial_down(config)
        self.memory_norm = nn.LayerNorm(config.width)
        self.seg_proj = nn.Linear(language_width, config.width)
        self.decoder = nn.ModuleList(PrompterLayer(config) for _ in range(config.prompter_layers))
        self.content = ContentMatch(config.width, language_width, config.content_match) if config.content_match else None

    def grids(self, features: Tensor) -> Tensor:
        """Every frame of (B,T,C,h,w) as a grid of tokens, (B,T,g*g,C). It is the same for all sentences about a video."""
        return self.memory_norm(grid_tokens(self.spatial_down, features))

    def forward(self, seg_states: Tensor, features: Tensor) -> Tensor:
        return self.mask_prompts(seg_states, self.grids(features))  # B,10,T,C

    def mask_prompts(
        self, seg_states: Tensor, grids: Tensor, attentions: list[QueriesAndKeys] | None = None, span: Span = WHOLE
    ) -> Tensor:
        """Mask prompts (B,10,T,C) for frames whose grids are known.

        seg_states: (B,10,D).
        grids: what `grids` returned for the frames, (B,T,g*g,C).
        attentions: a list to which the cross-attention of every layer is appended.
        span: the part of the video that the frames are from.
        """
        frames = grids.shape[1]
        memory = grids.flatten(1, 2)  # B,T*g*g,C
        queries = self.seg_proj(seg_states).repeat_interleave(frames, dim=1)  # B,10*T,C   the copies differ only by rotary time
        query_positions = torch.arange(frames, device=queries.device).repeat(SEG_TOKENS)[:, None]  # 10*T,1
        key_positions = _grid_positions(frames, math.isqrt(grids.shape[2]), queries.device)
        content = None if self.content is None else self.content(seg_states, grids, span)  # B,T,T*g*g
        for layer in self.decoder:
            queries, attention = layer(queries, memory, query_positions, key_positions, content)  # B,10*T,C
            if attentions is not None:
                attentions.append(attention)
        return queries.unflatten(1, (SEG_TOKENS, frames))  # B,10,T,C


def _grid_positions(frames: int, grid: int, device: torch.device) -> Tensor:
    """Time, row and column of every grid token, (T*g*g,3)."""
    axes = (torch.arange(frames, device=device), *(torch.arange(grid, device=device),) * 2)
    return torch.cartesian_prod(*axes)
