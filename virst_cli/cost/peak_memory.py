"""How much memory each stage of a run takes: sums over what is alive together, known before anything heavy is imported.

Counted are the libraries, the weights that are there, and the largest intermediate results. Pages of the model's files are not:
the system keeps them as long as nobody else needs the memory. tests/segmenter/test_footprint.py compares it with real runs.
"""

from dataclasses import dataclass

from virst_cli.checkpoints.sizes import Sizes
from virst_cli.cost.residency import Residency
from virst_cli.model.config import CLIP_FRAMES, NEAREST_ANCHORS, POINTER_FRAMES, RECENT_FRAMES, HieraConfig, VirstConfig
from virst_cli.tracking.schedule import MAX_FUSION_FRAMES

LIBRARY_BYTES = 800_000_000  # bytes that torch, transformers and sam2 take before they do anything; measured on Linux
TOKENIZER_BYTES = 1000  # bytes of the tokenizer for each token that it knows
DRIVER_BYTES = 500_000_000  # bytes of an accelerator that its driver and kernels take
FRAMES_HELD = 24  # decoded frames on their way, in three readers and all writers
PROMPT_TOKENS = 100  # tokens of a sentence with its answer, and about as many before the visual tokens
ATTENDED_FRAMES = NEAREST_ANCHORS + RECENT_FRAMES  # frames whose memories a frame attends to


@dataclass(frozen=True)
class PeakMemory:
    """A model at work. itemsize: bytes of a number; pixels: of a frame; looks, fused: frames that the two eyes see together."""

    config: VirstConfig
    sizes: Sizes
    itemsize: int
    pixels: int = 1280 * 720
    sentences: int = 1
    looks: int = 64
    fused: int = MAX_FUSION_FRAMES
    on_device: bool = False

    def by_stage(self, stay: Residency) -> dict[str, int]:
        """Bytes at the peak of each stage, with so much of the model staying. The video's length does not matter."""
        vision, fusion = (count * self.itemsize for count in (self.sizes.vision, self.sizes.fusion))
        language = self.sizes.layer * self.itemsize * (2 if self.on_device else 1)
        kept = {"look": vision, "anchor": fusion, "reason": language, "track": fusion}
        if stay is not Residency.nothing:
            kept = {**dict.fromkeys(kept, vision + fusion), "reason": vision + fusion + language}
        if stay is Residency.everything:
            kept = {
                **dict.fromkeys(kept, self.sizes.total * self.itemsize),
                "look": vision,
            }  # the rest comes after the first look
        features = self.fused * self._features()
        work = {
            "look": self._looking(),
            "anchor": features + max(self._encoding(), self._fusing()),
            "reason": self._reasoning() + (features if self.config.segmentation.initial_fusion else 0),
            "track": features + self._encoding() + self.sentences * self._tracking(),
        }
        around = DRIVER_BYTES
        if not self.on_device:
            around = LIBRARY_BYTES + TOKENIZER_BYTES * self.config.language.vocabulary + FRAMES_HELD * 3 * self.pixels
        return {stage: around + kept[stage] + work[stage] for stage in work}

    def _looking(self) -> int:
        """A clip in the tower: the stream of patches, queries, keys and values, and the hidden layer twice."""
        vision = self.config.vision
        patches = CLIP_FRAMES * (vision.image_size // vision.patch) ** 2
        stem = 0 if vision.stem is None else CLIP_FRAMES * (vision.image_size // 2) ** 2 * vision.stem.channels[0]
        alive = patches * vision.width * (6 + 2 * vision.mlp_ratio) + 3 * stem
        merging = patches * (patches // 4 + 3 * vision.width) * 4  # scores of even and odd patches, in float32
        return max(alive * self.itemsize, merging) + self._tokens() * self.config.language.width * self.itemsize

    def _reasoning(self) -> int:
        """All tokens in one layer: three hidden layers of the MLP, the stream and what attention makes of it, and masks."""
        language = self.config.language
        tokens = self._tokens() + PROMPT_TOKENS * (1 + self.sentences)
        return tokens * (3 * language.mlp + 10 * language.width) * self.itemsize + tokens**2 * (1 + 2 * self.itemsize)

    def _features(self) -> int:
        """What is held of one frame until it is tracked: maps at strides 4, 8 and 16, and for the fusions the last once more."""
        segmentation = self.config.segmentation
        places = segmentation.map_size**2
        return places * segmentation.width * (16 // 8 + 4 // 4 + 1) * self.itemsize

    def _encoding(self) -> int:
        """A frame in SAM2's image encoder: its first blocks, on the map of stride 4, are the widest."""
        segmentation = self.config.segmentation
        places, trunk = (segmentation.image_size // 4) ** 2, segmentation.trunk
        if isinstance(trunk, HieraConfig):
            return places * trunk.embed_dim * 24 * self.itemsize + places * segmentation.width * 2 * self.itemsize
        return places * (4 * trunk.channels[0] * 4 + segmentation.width * 2) * self.itemsize  # stride 2 before that

    def _fusing(self) -> int:
        """Maps of all frames side by side, and half as large twice."""
        segmentation = self.config.segmentation
        return 2 * self.fused * segmentation.map_size**2 * segmentation.width * self.itemsize

    def _tracking(self) -> int:
        """One sentence: its memories, attention to those that a frame looks at, and masks at SAM2's and the video's size."""
        segmentation = self.config.segmentation
        places, width = segmentation.map_size**2, segmentation.width
        frames = 2 * MAX_FUSION_FRAMES // segmentation.frames_per_anchor + POINTER_FRAMES  # the anchors of two chunks
        remembered = frames * places * (segmentation.memory_width * self.itemsize + 16 * 4)
        attended = ATTENDED_FRAMES * places * 3 * width * self.itemsize
        masks = segmentation.image_size**2 * 4 * 3 + self.pixels * 5
        decoder = places * 16 * (width // 8) * 4 * self.itemsize
        return remembered + attended + masks + decoder

    def _tokens(self) -> int:
        """Visual tokens."""
        return min(self.looks, self.config.vision.frames) // CLIP_FRAMES * self.config.vision.merged_tokens
