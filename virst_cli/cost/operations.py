"""How much each stage of a run has to calculate: multiplications with their additions, from the sizes of the model alone.

Counted are matrix products and convolutions that grow with the video or its sentences; what is left out is small beside
them (the SegPrompter, the mask decoder and the memory encoder of the published model). tests/segmenter/test_effort.py
compares the sums with what the modules really do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from virst_cli.cost.peak_memory import ATTENDED_FRAMES, PROMPT_TOKENS
from virst_cli.model.config import CLIP_FRAMES, ConvTrunkConfig, HieraConfig, VirstConfig
from virst_cli.tracking.schedule import Chunk


@dataclass(frozen=True)
class Operations:
    """A run of a model over `frames` frames in `parts`, after a look at `looks` frames."""

    config: VirstConfig
    frames: int
    looks: int
    parts: Sequence[Chunk]
    sentences: int = 1

    def by_stage(self) -> dict[str, int]:
        """Multiply-adds of each stage."""
        fused = sum(len(set(part.fusion_frames)) for part in self.parts)
        anchors = sum(len(part.anchors) for part in self.parts)
        return {
            "look": self.looks // CLIP_FRAMES * vision_macs(self.config),
            "anchor": fused * encoder_macs(self.config),
            "reason": language_macs(self.config, self.looks, self.sentences),
            "track": (self.frames - fused) * encoder_macs(self.config)
            + max(0, self.frames - anchors) * self.sentences * tracking_macs(self.config),
        }


def vision_macs(config: VirstConfig) -> int:
    """A clip in the vision tower."""
    vision = config.vision
    patches, width = CLIP_FRAMES * (vision.image_size // vision.patch) ** 2, vision.width
    if vision.stem is None:
        stem = patches * 3 * vision.patch**2 * width
    else:
        stem = CLIP_FRAMES * _trunk(vision.stem, vision.image_size, levels=3)
    block = patches * (4 + 2 * vision.mlp_ratio) * width**2 + 2 * patches**2 * width
    return stem + vision.blocks * block


def language_macs(config: VirstConfig, looks: int, sentences: int) -> int:
    """The language model's layers over all visual tokens and all sentences."""
    language = config.language
    tokens = looks // CLIP_FRAMES * config.vision.merged_tokens + PROMPT_TOKENS * (1 + sentences)
    shared = language.key_value_heads * language.width // language.heads
    layer = language.width * (2 * language.width + 2 * shared + 3 * language.mlp)
    return language.layers * (tokens * layer + 2 * tokens**2 * language.width)


def encoder_macs(config: VirstConfig) -> int:
    """A frame in SAM 2's image encoder."""
    segmentation = config.segmentation
    width, side = segmentation.width, segmentation.image_size
    places = [(side // stride) ** 2 for stride in (4, 8, 16, 32)]
    neck = sum(place * channels * width for place, channels in zip(places, segmentation.trunk.channels, strict=True))
    neck += places[0] * width * width // 8 + places[1] * width * width // 4
    trunk = segmentation.trunk
    return neck + (_hiera(trunk, places) if isinstance(trunk, HieraConfig) else _trunk(trunk, side, levels=4))


def tracking_macs(config: VirstConfig) -> int:
    """One sentence on one frame that is no anchor: memory attention to the nearest anchors and the latest frames."""
    segmentation = config.segmentation
    places, width = segmentation.map_size**2, segmentation.width
    remembered = ATTENDED_FRAMES * places
    itself = places * 4 * width**2 + 2 * places**2 * width
    memory = places * 2 * width**2 + remembered * 2 * segmentation.memory_width * width + 2 * places * remembered * width
    return segmentation.memory_layers * (itself + memory + 2 * places * width * segmentation.memory_mlp)


def _hiera(trunk: HieraConfig, places: Sequence[int]) -> int:
    found = places[0] * 3 * 7**2 * trunk.embed_dim
    number = 0
    for stage, blocks in enumerate(trunk.stages):
        width, here = trunk.channels[stage], places[stage]
        for _ in range(blocks):
            seen = here if number in trunk.global_blocks else min(here, trunk.windows[stage] ** 2)
            found += here * 12 * width**2 + 2 * here * seen * width
            number += 1
    return found


def _trunk(trunk: ConvTrunkConfig, side: int, *, levels: int) -> int:
    before, found = trunk.channels[0], (side // 2) ** 2 * 9 * 3 * trunk.channels[0]
    for level in range(levels):
        here, width = (side // 4 >> level) ** 2, trunk.channels[level]
        found += here * 9 * (before * width + 2 * trunk.blocks[level] * width**2)
        before = width
    return found
