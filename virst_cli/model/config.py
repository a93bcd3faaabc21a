"""The sizes of a VIRST model, as frozen dataclasses. A model folder has them as JSON in `config.json`.

Two presets: `virst-7b` has the published sizes (spec sections 5 to 11), `virst-nano` is the small model that comes with the tool.
Comments mark the fields that switch on something that the published model does not have.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virst_cli.errors import WeightsError

SEG_TOKENS = 10  # [SEG] tokens in every answer; the published prompts always have ten
CLIP_FRAMES = 4  # frames of a clip, which the vision tower encodes together
NEAREST_ANCHORS = 3  # anchors that a frame attends to
RECENT_FRAMES = 6  # frames before it whose mask memory it attends to
POINTER_FRAMES = 15  # frames before it whose object pointers it attends to


@dataclass(frozen=True)
class HieraConfig:
    """Hiera, SAM 2's hierarchical vision transformer."""

    embed_dim: int = 144
    heads: int = 2
    stages: tuple[int, ...] = (2, 6, 36, 4)
    global_blocks: tuple[int, ...] = (23, 33, 43)
    windows: tuple[int, ...] = (8, 4, 16, 8)
    position_grid: tuple[int, int] = (7, 7)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the maps at strides 4, 8, 16 and 32."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.stages)))


@dataclass(frozen=True)
class ConvTrunkConfig:
    """A small convolutional trunk, which learns from little data; not part of the published model."""

    channels: tuple[int, ...] = (32, 64, 128, 128)  # maps at strides 4, 8, 16 and 32
    blocks: tuple[int, ...] = (1, 1, 2, 1)  # residual blocks on each of them


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower (UMT-HD-large) and the token merging that follows it."""

    image_size: int = 448
    patch: int = 16
    width: int = 1024
    blocks: int = 23
    heads: int = 16
    mlp_ratio: int = 4
    merged_tokens: int = 64  # visual tokens of a clip after merging
    merging_heads: int = 16
    frames: int = 64  # most frames of a video that the language model sees
    stem: ConvTrunkConfig | None = None  # makes the patch tokens; None: one linear layer, as published
    motion: bool = False  # patch tokens of a stem also depend on the frames before and after; not in the published model


@dataclass(frozen=True)
class LanguageConfig:
    """The language model, Qwen2."""

    width: int = 3584
    layers: int = 28
    heads: int = 28
    key_value_heads: int = 4
    mlp: int = 18944
    vocabulary: int = 151647  # 151,646 rows of the base model and [SEG]
    norm_eps: float = 1e-6
    rope_theta: float = 1e6


@dataclass(frozen=True)
class SegmentationConfig:
    """SAM 2.1 and both spatio-temporal fusions, which share its width."""

    image_size: int = 1024
    width: int = 256
    memory_width: int = 64
    trunk: HieraConfig | ConvTrunkConfig = field(default_factory=HieraConfig)
    fpn_top_down: tuple[int, ...] = (2, 3)  # levels of the neck that also add the features of the level above
    memory_layers: int = 4
    memory_heads: int = 1
    memory_mlp: int = 2048
    fuser_layers: int = 2
    fuser_scale: float = 1e-6  # initial layer scale of the memory encoder; training from scratch needs 0.1
    decoder_mlp: int = 2048
    iou_hidden: int = 256
    fusion_strides: tuple[int, ...] = (2, 2, 2)  # of the convolutions from SAM 2's stride-16 map to the 8x8 grid of the fusions
    fusion_heads: int = 8  # attention heads of the first fusion
    prompter_heads: int = 8
    prompter_layers: int = 2
    frames_per_anchor: int = 4  # one of this many fusion frames is an anchor; other frames are propagated
    chunk: int = 256  # default number of frames that share anchors; in longer chunks, anchors are farther apart
    content_match: int = 0  # cosines over time of `ContentMatch` in the SegPrompter; 0: no such term, as published
    initial_fusion: bool = False
    present_from: float | None = None  # a chunk has masks if an anchor's object score is above this; None: always, as published

    @property
    def map_size(self) -> int:
        """Side of SAM 2's stride-16 map, in cells."""
        return self.image_size // 16

    @property
    def grid(self) -> int:
        """Side of the grid to which the fusions reduce a frame, in cells."""
        side = self.map_size
        for stride in self.fusion_strides:
            side = (side + stride - 1) // stride
        return side


@dataclass(frozen=True)
class VirstConfig:
    """The configuration of a model: everything that decides which tensors it has."""

    name: str
    vision: VisionConfig
    language: LanguageConfig
    segmentation: SegmentationConfig

    def to_json(self) -> str:
        """The text of `config.json`."""
        return json.dumps({"schema_version": 1, **dataclasses.asdict(self)}, indent=1) + "\n"

    @staticmethod
    def from_json(text: str, *, source: Path | str = "config.json") -> "VirstConfig":
        """Reads what `to_json` wrote. source: named in the error. Raises WeightsError when the text is something else."""
        try:
            raw = json.loads(text)
            if raw.pop("schema_version") != 1:
                raise ValueError("its schema_version is not 1")
            vision, segmentation = raw.pop("vision"), raw.pop("segmentation")
            stem = vision.pop("stem")
            trunk = segmentation.pop("trunk")
            trunk_class = HieraConfig if "embed_dim" in trunk else ConvTrunkConfig
            return VirstConfig(
                vision=VisionConfig(**vision, stem=ConvTrunkConfig(**_tuples(stem)) if stem else None),
                language=LanguageConfig(**raw.pop("language")),
                segmentation=SegmentationConfig(**_tuples(segmentation), trunk=trunk_class(**_tuples(trunk))),
                **raw,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{source} is not a virst model configuration ({error}); see `virst weights list`") from None


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


VIRST_7B = VirstConfig("virst-7b", VisionConfig(), LanguageConfig(), SegmentationConfig())

VIRST_NANO = VirstConfig(
    "virst-nano",
    VisionConfig(
        image_size=128, width=128, blocks=4, heads=4, merging_heads=4, frames=32, stem=ConvTrunkConfig(), motion=True
    ),
    LanguageConfig(width=128, layers=4, heads=4, key_value_heads=2, mlp=384, vocabulary=256),
    SegmentationConfig(
        image_size=128,
        width=128,
        memory_width=32,
        trunk=ConvTrunkConfig(),
        memory_layers=2,
        memory_mlp=256,
        fuser_scale=0.1,
        decoder_mlp=256,
        iou_hidden=128,
        fusion_strides=(1,),
        frames_per_anchor=1,
        chunk=32,
        content_match=6,
        present_from=3.0,
    ),
)  # fmt: skip
