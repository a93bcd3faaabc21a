"""Multiply-adds (MACs) of each stage of a run, computed from the sizes of the model.

Matrix products and convolutions that grow with the video or its sentences are counted; the SegPrompter, which is small beside
them, is not. tests/cost/test_operations.py compares the sums with what the modules do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from virst_cli.cost.peak_memory import ATTENDED_FRAMES, PROMPT_TOKENS
from virst_cli.model.config import CLIP_FRAMES, SEG_TOKENS, ConvTrunkConfig, HieraConfig, VirstConfig
from virst_cli.stages import Stage
from virst_cli.tracking.frame_selection import Chunk

DECODER_MLP = 2048  # hidden width in SAM 2's mask decoder
MASK_DOWNSAMPLER_MACS = (
    195_840  # for each cell of the coarse map: 3x3 convolutions of stride 2, 1 -> 4 -> 16 -> 64 -> 256 channels
)


@dataclass(frozen=True)
class Operations:
    """The work of a run.

    config: of the model.
    frames: of the video.
    lm_frames: that the language model sees.
    chunks: in which the video is tracked.
    sentences: that are asked together.
    """

    config: VirstConfig
    frames: int
    lm_frames: int
    chunks: Sequence[Chunk]
    sentences: int = 1

    def by_stage(self) -> dict[Stage, int]:
        """Multiply-adds of each stage of the model."""
        fused = sum(len(set(chunk.fusion_frames)) for chunk in self.chunks)
        anchors = sum(len(chunk.anchors) for chunk in self.chunks)
        tracked = max(0, self.frames - anchors)
        return {
            Stage.LOOK: self.lm_frames // CLIP_FRAMES * vision_macs(self.config),
            Stage.REASON: language_macs(self.config, self.lm_frames, self.sentences),
            Stage.FUSE: fused * encoder_macs(self.config),
            Stage.ANCHOR: anchors * self.sentences * decoder_macs(self.config),
            Stage.PROPAGATE: (self.frames - fused) * encoder_macs(self.config)
            + tracked * self.sentences * (tracking_macs(self.config) + decoder_macs(self.config)),
        }


def vision_macs(config: VirstConfig) -> int:
    """One clip of four frames in the vision tower."""
    vision = config.vision
    patches, width = CLIP_FRAMES * (vision.image_size // vision.patch) ** 2, vision.width
    if vision.stem is None:
        stem = patches * 3 * vision.patch**2 * width
    else:
        stem = CLIP_FRAMES * _conv_trunk_macs(vision.stem, vision.image_size, levels=3)
    block = patches * (4 + 2 * vision.mlp_ratio) * width**2 + 2 * patches**2 * width
    return stem + vision.blocks * block


def language_macs(config: VirstConfig, lm_frames: int, sentences: int) -> int:
    """All layers of the language model over the visual tokens and all sentences."""
    language = config.language
    tokens = lm_frames // CLIP_FRAMES * config.vision.merged_tokens + PROMPT_TOKENS * (1 + sentences)
    shared = language.key_value_heads * language.width // language.heads
    layer = language.width * (2 * language.width + 2 * shared + 3 * language.mlp)
    return language.layers * (tokens * layer + 2 * tokens**2 * language.width)


def encoder_macs(config: VirstConfig) -> int:
    """One frame in SAM 2's image encoder."""
    segmentation = config.segmentation
    width, side = segmentation.width, segmentation.image_size
    cells = [(side // stride) ** 2 for stride in (4, 8, 16, 32)]
    neck = sum(count * channels * width for count, channels in zip(cells, segmentation.trunk.channels, strict=True))
    neck += cells[0] * width * width // 8 + cells[1] * width * width // 4
    trunk = segmentation.trunk
    return neck + (_hiera_macs(trunk, cells) if isinstance(trunk, HieraConfig) else _conv_trunk_macs(trunk, side, levels=4))


def decoder_macs(config: VirstConfig) -> int:
    """One sentence on one frame: SAM 2's mask decoder, and the memory encoder that remembers the mask."""
    segmentation = config.segmentation
    cells, width = segmentation.map_size**2, segmentation.width
    tokens = SEG_TOKENS + 6  # and SAM 2's own: object score, IoU, four masks
    transformer = 5 * cells * width**2 + 4 * tokens * width * DECODER_MLP  # image tokens' projections; the tokens' MLP, twice
    upscaling = cells * width**2 * 3 // 2 + 8 * cells * width
    memory = cells * (MASK_DOWNSAMPLER_MACS + 256 * width + 17 * width**2 + 2 * 49 * width + width * segmentation.memory_width)
    return transformer + upscaling + memory


def tracking_macs(config: VirstConfig) -> int:
    """One sentence on one frame that is not an anchor: memory attention to the nearest anchors and the latest frames."""
    segmentation = config.segmentation
    cells, width = segmentation.map_size**2, segmentation.width
    remembered = ATTENDED_FRAMES * cells
    itself = cells * 4 * width**2 + 2 * cells**2 * width
    memory = cells * 2 * width**2 + remembered * 2 * segmentation.memory_width * width + 2 * cells * remembered * width
    return segmentation.memory_layers * (itself + memory + 2 * cells * width * segmentation.memory_mlp)


def _hiera_macs(trunk: HieraConfig, cells: Sequence[int]) -> int:
    """One frame in SAM 2's transformer. cells: of its maps at strides 4, 8, 16 and 32."""
    macs = cells[0] * 3 * 7**2 * trunk.embed_dim
    number = 0
    for stage, blocks in enumerate(trunk.stages):
        width, here = trunk.channels[stage], cells[stage]
        for _ in range(blocks):
            attended = here if number in trunk.global_blocks else min(here, trunk.windows[stage] ** 2)
            macs += here * 12 * width**2 + 2 * here * attended * width
            number += 1
    return macs


def _conv_trunk_macs(trunk: ConvTrunkConfig, side: int, *, levels: int) -> int:
    """One frame in the first `levels` levels of a convolutional trunk. side: of the frame, in pixels."""
    before, macs = trunk.channels[0], (side // 2) ** 2 * 9 * 3 * trunk.channels[0]
    for level in range(levels):
        here, width = (side // 4 >> level) ** 2, trunk.channels[level]
        macs += here * 9 * (before * width + 2 * trunk.blocks[level] * width**2)
        before = width
    return macs
