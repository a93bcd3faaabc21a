"""The whole model: five steps, each a method (spec section 1).

    look      frames -> visual tokens
    reason    visual tokens + sentences -> ten [SEG] states a sentence
    fuse      [SEG] states + SAM2 features -> a prompt for every frame
    anchor    prompt -> mask of one frame                                   `seg_model.anchor`
    propagate memory -> mask of any other frame                             `seg_model.propagate`

`Virst` holds all parts at once, for training and for small models. What runs a big model part by part is
`segmenter.py`; it uses the same modules.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from virst_cli.model.config import CLIP_FRAMES, SEG_TOKENS, VirstConfig
from virst_cli.model.fusion import WHOLE, InitialSegFusion, SegPrompter, Span
from virst_cli.model.language import LanguageModel, packed_layout
from virst_cli.model.prompt import Prompt
from virst_cli.model.seg_model import SegModel
from virst_cli.model.token_merging import Projector
from virst_cli.model.vision_tower import VisionTower


class Vision(nn.Module):
    """look: frames (N,3,H,W), N a multiple of four, to visual tokens (16*N, language width)."""

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        self.vision_tower = VisionTower(config.vision)
        self.mm_projector = Projector(config.vision, config.language.width)

    def forward(self, frames: Tensor) -> Tensor:
        clips = frames.unflatten(0, (-1, CLIP_FRAMES))
        return torch.cat([self.mm_projector(self.vision_tower(clip[None]))[0] for clip in clips])  # one clip at a time


class Fusion(nn.Module):
    """SAM2 and both fusions: all that sees frames at SAM2's size."""

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        self.seg_model = SegModel(config.segmentation)
        self.seg_prompter = SegPrompter(config.segmentation, config.language.width)
        if config.segmentation.initial_fusion:
            self.initial_seg_fusion_module = InitialSegFusion(config.segmentation, config.language.width)

    def fuse_seg_tokens(self, seg_embeddings: Tensor, coarse: Tensor) -> Tensor:
        """First fusion, where the model has it: [SEG] embeddings (10,D) that have seen the coarse maps of T frames (T,C,h,w)."""
        return self.initial_seg_fusion_module(seg_embeddings[None], coarse[None])[0]

    def mask_prompts(self, seg_states: Tensor, coarse: Tensor, span: Span = WHOLE) -> Tensor:
        """fuse: states (n,10,D) and coarse maps of T frames (T,C,h,w), seen once for all sentences, to prompts (n,10,T,C).

        span: the part of the video that the frames are from.
        """
        grids = self.seg_prompter.look(coarse[None]).expand(seg_states.shape[0], -1, -1, -1)
        return self.seg_prompter.mask_prompts(seg_states, grids, span=span)


def pack(visual: Tensor, prompts: Sequence[Prompt], embed: nn.Module, seg_embeddings: Tensor | None = None) -> "Packed":
    """The language model's input for one video and its sentences: prefix, visual tokens (V,D), then each sentence.

    `seg_embeddings` (10,D), if given, stand in for the [SEG] tokens' own.
    """
    prefix = embed(torch.tensor(prompts[0].prefix, device=visual.device))
    parts, seg_places, start = [prefix, visual.to(prefix.dtype)], [], len(prefix) + len(visual)
    for prompt in prompts:
        sentence = embed(torch.tensor(prompt.sentence, device=visual.device))
        if seg_embeddings is not None:
            sentence = sentence.index_copy(
                0, torch.tensor(prompt.seg_positions, device=sentence.device), seg_embeddings.to(sentence.dtype)
            )
        parts.append(sentence)
        seg_places.append([start + place for place in prompt.seg_positions])
        start += len(sentence)
    positions, mask = packed_layout(len(prefix) + len(visual), [len(part) for part in parts[2:]])
    places = torch.tensor(seg_places, device=visual.device)
    return Packed(torch.cat(parts), positions.to(visual.device), mask.to(visual.device), places)


class Packed:
    """One packed sequence: embeddings (L,D), positions (L,), mask (L,L), places of the [SEG] tokens (n,10)."""

    def __init__(self, embeddings: Tensor, positions: Tensor, mask: Tensor, seg_places: Tensor) -> None:
        self.embeddings, self.positions, self.mask, self.seg_places = embeddings, positions, mask, seg_places

    def seg_states(self, language: LanguageModel) -> Tensor:
        """reason: run the language model; hidden states at the [SEG] tokens, (n,10,D)."""
        hidden = language(self.embeddings[None], self.positions[None], self.mask[None])[0]
        assert self.seg_places.shape[1] == SEG_TOKENS
        return hidden[self.seg_places]


class Virst(nn.Module):
    """All parts at once."""

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = Vision(config)
        self.language_model = LanguageModel(config.language)
        self.fusion = Fusion(config)

    def seg_states(self, frames: Tensor, prompts: Sequence[Prompt], coarse: Tensor | None = None) -> Tensor:
        """look and reason: frames (N,3,H,W) and prompts to [SEG] states (n,10,D).

        `coarse`: SAM2's coarse maps of the fusion frames, needed where the model has the first fusion.
        """
        seg = None
        if self.config.segmentation.initial_fusion:
            assert coarse is not None
            token = torch.full((SEG_TOKENS,), prompts[0].seg_token, device=frames.device)
            seg = self.fusion.fuse_seg_tokens(self.language_model.embed_tokens(token), coarse)
        return pack(self.vision(frames), prompts, self.language_model.embed_tokens, seg).seg_states(self.language_model)
