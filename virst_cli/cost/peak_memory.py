"""Peak memory of each stage of a run, predicted from the model's sizes before anything heavy is imported.

A prediction is the sum of what is in memory together: the libraries, the weights that are loaded, and the largest intermediate
results. Mapped pages of the model's files are left out: the system takes them back when others need the memory.
tests/cost/test_peak_memory.py compares predictions with real runs.
"""

from dataclasses import dataclass

from virst_cli.checkpoints.sizes import Sizes
from virst_cli.cost.residency import Residency
from virst_cli.model.config import CLIP_FRAMES, NEAREST_ANCHORS, POINTER_FRAMES, RECENT_FRAMES, HieraConfig, VirstConfig
from virst_cli.stages import Stage
from virst_cli.tracking.frame_selection import MAX_FUSION_FRAMES, MAX_LM_FRAMES

LIBRARY_BYTES = 800_000_000  # that torch, transformers and sam2 take before they do anything; measured on Linux
TOKENIZER_BYTES = 1000  # for each token that the tokenizer knows
DRIVER_BYTES = 500_000_000  # of an accelerator, for its driver and kernels
FRAMES_IN_FLIGHT = 24  # decoded frames that three readers and all writers hold at once
PROMPT_TOKENS = 100  # of a sentence with its answer, and about as many before the visual tokens
ATTENDED_FRAMES = NEAREST_ANCHORS + RECENT_FRAMES  # frames whose memories a frame attends to


@dataclass(frozen=True)
class PeakMemory:
    """The memory that a model takes at work.

    config: of the model.
    sizes: parameters in each part of the model.
    itemsize: bytes of one number.
    pixels: of a frame of the video.
    sentences: that are asked together.
    lm_frames: frames that the language model sees.
    fusion_frames: frames that are fused together.
    on_device: the model runs on an accelerator, whose memory is counted instead of the machine's.
    """

    config: VirstConfig
    sizes: Sizes
    itemsize: int
    pixels: int = 1280 * 720
    sentences: int = 1
    lm_frames: int = MAX_LM_FRAMES
    fusion_frames: int = MAX_FUSION_FRAMES
    on_device: bool = False

    def by_stage(self, residency: Residency) -> dict[Stage, int]:
        """Peak bytes of each stage of the model. They do not depend on the length of the video."""
        weights, work, base = self._weights(residency), self._work(), self._base()
        return {stage: base + weights[stage] + work[stage] for stage in work}

    def _base(self) -> int:
        """What is there in every stage."""
        if self.on_device:
            return DRIVER_BYTES
        return LIBRARY_BYTES + TOKENIZER_BYTES * self.config.language.vocabulary + FRAMES_IN_FLIGHT * 3 * self.pixels

    def _weights(self, residency: Residency) -> dict[Stage, int]:
        """Bytes of the weights that are in memory during each stage."""
        vision, fusion = (count * self.itemsize for count in (self.sizes.vision, self.sizes.fusion))
        layer = self.sizes.layer * self.itemsize * (2 if self.on_device else 1)  # an accelerator copies the next one ahead
        tracking = dict.fromkeys((Stage.FUSE, Stage.ANCHOR, Stage.PROPAGATE), fusion)
        if residency is Residency.NOTHING:
            return {Stage.LOOK: vision, Stage.REASON: layer, **tracking}
        if residency is Residency.ENCODERS:
            return {
                Stage.LOOK: vision + fusion,
                Stage.REASON: vision + fusion + layer,
                **dict.fromkeys(tracking, vision + fusion),
            }
        whole = self.sizes.total * self.itemsize
        return {Stage.LOOK: vision, Stage.REASON: whole, **dict.fromkeys(tracking, whole)}  # other parts load when first used

    def _work(self) -> dict[Stage, int]:
        """Bytes of the intermediate results of each stage."""
        features = self.fusion_frames * self._features()
        return {
            Stage.LOOK: self._vision(),
            Stage.REASON: self._language() + (features if self.config.segmentation.initial_fusion else 0),
            Stage.FUSE: features + max(self._encoder(), self._fusion()),
            Stage.ANCHOR: features + self.sentences * (self._memory_bank() + self._decoder()),
            Stage.PROPAGATE: features + self._encoder() + self.sentences * self._tracking(),
        }

    def _vision(self) -> int:
        """A clip in the vision tower: the stream of patches, queries, keys and values, and the hidden layer twice."""
        vision = self.config.vision
        patches = CLIP_FRAMES * (vision.image_size // vision.patch) ** 2
        stem = 0 if vision.stem is None else CLIP_FRAMES * (vision.image_size // 2) ** 2 * vision.stem.channels[0]
        alive = patches * vision.width * (6 + 2 * vision.mlp_ratio) + 3 * stem
        merging = patches * (patches // 4 + 3 * vision.width) * 4  # scores of even and odd patches, in float32
        return max(alive * self.itemsize, merging) + self._visual_tokens() * self.config.language.width * self.itemsize

    def _language(self) -> int:
        """All tokens in one layer: three hidden layers of the MLP, the stream with what attention makes of it, and masks."""
        language = self.config.language
        tokens = self._visual_tokens() + PROMPT_TOKENS * (1 + self.sentences)
        return tokens * (3 * language.mlp + 10 * language.width) * self.itemsize + tokens**2 * (1 + 2 * self.itemsize)

    def _features(self) -> int:
        """One frame's features: maps at strides 4, 8 and 16, and the last one once more for the fusions."""
        segmentation = self.config.segmentation
        cells = segmentation.map_size**2
        return cells * segmentation.width * (16 // 8 + 4 // 4 + 1) * self.itemsize

    def _encoder(self) -> int:
        """A frame in SAM 2's image encoder: its first blocks, on the map of stride 4, are the widest."""
        segmentation = self.config.segmentation
        cells, trunk = (segmentation.image_size // 4) ** 2, segmentation.trunk
        if isinstance(trunk, HieraConfig):
            return cells * trunk.embed_dim * 24 * self.itemsize + cells * segmentation.width * 2 * self.itemsize
        return cells * (4 * trunk.channels[0] * 4 + segmentation.width * 2) * self.itemsize  # stride 2 before that

    def _fusion(self) -> int:
        """The maps of all fusion frames side by side, and half as large twice."""
        segmentation = self.config.segmentation
        return 2 * self.fusion_frames * segmentation.map_size**2 * segmentation.width * self.itemsize

    def _memory_bank(self) -> int:
        """What is remembered for one sentence: the anchors of two chunks, and the latest frames."""
        segmentation = self.config.segmentation
        frames = 2 * MAX_FUSION_FRAMES // segmentation.frames_per_anchor + POINTER_FRAMES
        return frames * segmentation.map_size**2 * (segmentation.memory_width * self.itemsize + 16 * 4)

    def _decoder(self) -> int:
        """One sentence in the mask decoder: upscaled features, and masks at SAM 2's and the video's size."""
        segmentation = self.config.segmentation
        masks = segmentation.image_size**2 * 4 * 3 + self.pixels * 5
        return masks + segmentation.map_size**2 * 16 * (segmentation.width // 8) * 4 * self.itemsize

    def _tracking(self) -> int:
        """One sentence: its memory bank, attention to the frames that a frame attends to, and the mask decoder."""
        segmentation = self.config.segmentation
        attended = ATTENDED_FRAMES * segmentation.map_size**2 * 3 * segmentation.width * self.itemsize
        return self._memory_bank() + attended + self._decoder()

    def _visual_tokens(self) -> int:
        return min(self.lm_frames, self.config.vision.frames) // CLIP_FRAMES * self.config.vision.merged_tokens
