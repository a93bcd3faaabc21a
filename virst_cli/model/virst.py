"""The whole model, in five steps (spec section 1).

    look      frames -> visual tokens                                 `Vision.forward`
    reason    visual tokens + sentences -> [SEG] states               `Packed.seg_states`
    fuse      [SEG] states + SAM 2's features -> mask prompts         `Fusion.mask_prompts`
    anchor    mask prompt -> mask of an anchor frame                  `SegModel.anchor`
    propagate memory -> mask of any other frame                       `SegModel.propagate`

`Virst` has all parts at once, for training and for small models. `segmenter` runs a large model part by part, with these modules.
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
    """The step look: vision tower and token merging."""

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        self.vision_tower = VisionTower(config.vision)
        self.mm_projector = Projector(config.vision, config.language.width)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N,3,H,W), N a multiple of four, to visual tokens (16*N, language width)."""
        clips = frames.unflatten(0, (-1, CLIP_FRAMES))  # N/4,4,3,H,W
        return torch.cat(
            [self.mm_projector(self.vision_tower(clip[None]))[0] for clip in clips]
        )  # one clip at a time, which bounds memory


class Fusion(nn.Module):
    """The parts that see frames at SAM 2's size: SAM 2 and both fusions."""

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        self.seg_model = SegModel(config.segmentation)
        self.seg_prompter = SegPrompter(config.segmentation, config.language.width)
        if config.segmentation.initial_fusion:
            self.initial_seg_fusion_module = InitialSegFusion(config.segmentation, config.language.width)

    def fuse_seg_tokens(self, seg_embeddings: Tensor, coarse: Tensor) -> Tensor:
        """First fusion, if the model has it: [SEG] embeddings (10,D) and coarse maps (T,C,h,w) to new embeddings (10,D)."""
        return self.initial_seg_fusion_module(seg_embeddings[None], coarse[None])[0]

    def mask_prompts(self, seg_states: Tensor, coarse: Tensor, span: Span = WHOLE) -> Tensor:
        """The step fuse: mask prompts (n,10,T,C) for n sentences and T frames.

        seg_states: (n,10,D).
        coarse: SAM 2's coarse maps of the frames, (T,C,h,w).
        span: the part of the video that the frames are from.
        """
        grids = self.seg_prompter.grids(coarse[None]).expand(seg_states.shape[0], -1, -1, -1)  # n,T,g*g,C
        return self.seg_prompter.mask_prompts(seg_states, grids, span=span)


def pack(visual: Tensor, prompts: Sequence[Prompt], embed: nn.Module, seg_embeddings: Tensor | None = None) -> "Packed":
    """The language model's input for one video: prefix, visual tokens, then one sentence after the other.

    visual: visual tokens (V,D).
    prompts: one for each sentence.
    embed: turns token ids into embeddings.
    seg_embeddings: (10,D), used in place of the [SEG] tokens' own embeddings; None for their own.
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
    """A packed sequence of one video and n sentences.

    embeddings: (L,D).
    positions: (L,).
    mask: (L,L) bool, as `packed_layout` makes it.
    seg_places: indices of the [SEG] tokens, (n,10).
    """

    def __init__(self, embeddings: Tensor, positions: Tensor, mask: Tensor, seg_places: Tensor) -> None:
        self.embeddings, self.positions, self.mask, self.seg_places = embeddings, positions, mask, seg_places

    def seg_states(self, language: LanguageModel) -> Tensor:
        """The step reason: hidden states of the language model at the [SEG] tokens, (n,10,D)."""
        hidden = language(self.embeddings[None], self.positions[None], self.mask[None])[0]  # L,D
        assert self.seg_places.shape[1] == SEG_TOKENS
        return hidden[self.seg_places]


class Virst(nn.Module):
    """The whole model in memory."""

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = Vision(config)
        self.language_model = LanguageModel(config.language)
        self.fusion = Fusion(config)

    def seg_states(self, frames: Tensor, prompts: Sequence[Prompt], coarse: Tensor | None = None) -> Tensor:
        """The steps look and reason: [SEG] states (n,10,D) for n sentences.

        frames: (N,3,H,W), normalised.
        prompts: one for each sentence.
        coarse: SAM 2's coarse maps of the fusion frames (T,C,h,w); only needed if the model has the first fusion.
        """
        seg = None
        if self.config.segmentation.initial_fusion:
            assert coarse is not None
            token = torch.full((SEG_TOKENS,), prompts[0].seg_token, device=frames.device)
            seg = self.fusion.fuse_seg_tokens(self.language_model.embed_tokens(token), coarse)
        return pack(self.vision(frames), prompts, self.language_model.embed_tokens, seg).seg_states(self.language_model)
