"""One pass over a video: fuse and anchor once for each chunk, propagate once for each frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from virst_cli.model.seg_model import Tracked
from virst_cli.model.virst import Fusion
from virst_cli.segmenter.feature_cache import FeatureCache
from virst_cli.segmenter.parts import ModelParts
from virst_cli.stages import OnProgress, Stage
from virst_cli.tracking.frame_selection import Chunk
from virst_cli.tracking.tracker import Tracker
from virst_cli.video.video import Frame

ResumeState = dict[str, Tensor]
"""What a pass needs to continue from the end of a chunk, as tensors on the CPU."""


@dataclass(frozen=True)
class FrameResult:
    """The masks of one frame."""

    index: int  # of the frame, from 0 within the range asked for
    time: float  # seconds since the start of the source
    rgb: np.ndarray  # (H,W,3) uint8, the frame at display size
    masks: np.ndarray  # (n,H,W) bool, one mask per sentence, all False where nothing is seen
    scores: np.ndarray  # (n,) float32 object scores; above 0: seen


class TrackingPass:
    """Tracks n sentences through the frames of one video, chunk after chunk."""

    def __init__(
        self, parts: ModelParts, fusion: Fusion, cache: FeatureCache, seg_states: Tensor, length: int, on_progress: OnProgress
    ) -> None:
        """fusion: SAM 2 and the fusions, loaded for as long as the pass lasts.

        cache: gives the features of frames.
        seg_states: (n, 10, D) of the sentences.
        length: frames of the video.
        """
        self._parts, self._fusion, self._seg_states = parts, fusion, seg_states
        self.cache, self._length, self._on_progress = cache, length, on_progress
        self.tracker = Tracker(fusion.seg_model, length)

    @torch.inference_mode()
    def fuse(self, chunk: Chunk) -> Tensor:
        """Mask prompts (n, 10, T, C) for the T fusion frames of a chunk."""
        anchors = [frame for _, frame in chunk.anchors]
        count = len(set(chunk.fusion_frames))
        with self._parts.autocast():
            self.cache.read_fusion_frames(chunk.fusion_frames, anchors, self._fusion.seg_model, self._on_progress)
            coarse = self.cache.coarse_maps(chunk.fusion_frames)  # T,C,h,w
            span = (chunk.start / self._length, chunk.stop / self._length)
            prompts = self._fusion.mask_prompts(self._seg_states, coarse, span)
        self.cache.release_coarse_maps()
        self._on_progress(Stage.FUSE, count, count)
        return prompts

    @torch.inference_mode()
    def anchor(self, chunk: Chunk, prompts: Tensor) -> None:
        """Masks of the chunk's anchors from their prompts alone; tracking remembers them. prompts: as `fuse` gives them."""
        by_frame: dict[int, list[Tensor]] = {}
        for place, frame in chunk.anchors:
            by_frame.setdefault(frame, []).append(prompts[:, :, place].contiguous())
        self._on_progress(Stage.ANCHOR, 0, len(by_frame))
        with self._parts.autocast():
            self.tracker.begin_chunk(self.cache.to_track, by_frame)
        self._on_progress(Stage.ANCHOR, len(by_frame), len(by_frame))

    @torch.inference_mode()
    def propagate(self, frame: Frame) -> FrameResult:
        """Masks of the next frame: an anchor's own, or those that memory attention finds."""
        with self._parts.autocast():
            tracked = self.tracker.step(frame.index, self.cache.take(frame, self._fusion.seg_model))
        masks, scores = _at_size(tracked, frame.rgb.shape[:2]), tracked.score[:, 0].float().cpu().numpy()
        self._on_progress(Stage.PROPAGATE, frame.index + 1, self._length)
        return FrameResult(frame.index, frame.time, frame.rgb, masks, scores)

    def state(self, following: int) -> ResumeState:
        """What is needed to continue with frame `following`, the first of a chunk."""
        memory: Mapping[str, Tensor] = {f"memory.{name}": value for name, value in self.tracker.memory.state().items()}
        tensors = {
            "seg_states": self._seg_states, "length": torch.tensor(self._length), "next": torch.tensor(following), **memory,
        }  # fmt: skip
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def restore(self, state: ResumeState) -> None:
        """Takes over the memory of an interrupted pass."""
        memory = {name.removeprefix("memory."): value for name, value in state.items() if name.startswith("memory.")}
        self.tracker.memory.restore({name: value.to(self._parts.device) for name, value in memory.items()})


def _at_size(tracked: Tracked, size: tuple[int, int]) -> np.ndarray:
    """Masks (n, H, W) bool at display size (H, W), from low-resolution logits."""
    logits = F.interpolate(tracked.logits.float(), size=size, mode="bilinear", align_corners=False)
    return (logits[:, 0] > 0).cpu().numpy()
