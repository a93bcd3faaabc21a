"""SAM 2's features of a chunk's frames: each frame is encoded once, and held only until tracking has passed it.

At full size one frame's features are about 8 MB, so a chunk is never held whole. A reader of its own runs one chunk ahead and
encodes the fusion frames only; every other frame is encoded when its turn to be tracked comes, and let go.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from virst_cli.model.pixels import to_square
from virst_cli.model.seg_model import FrameFeatures, SegModel
from virst_cli.segmenter.parts import ModelParts
from virst_cli.stages import OnProgress, Stage
from virst_cli.video.video import Frame


class FeatureCache:
    """Features of fusion frames, by frame number."""

    def __init__(self, frames: Iterable[Frame], parts: ModelParts, *, faithful: bool) -> None:
        """frames: of the video; they are read once, as far as fusion frames are needed.

        parts: of the model; SAM 2 itself is given to the methods, as it may be loaded for a while only.
        faithful: encode fusion frames a second time for tracking, with the other resize filter, as the published code does.
        """
        self._frames = iter(frames)
        self._parts, self._faithful = parts, faithful
        self._to_track: dict[int, FrameFeatures] = {}
        self._coarse: dict[int, Tensor] = {}  # the maps that the fusions look at

    def __len__(self) -> int:
        """How many frames are held for tracking."""
        return len(self._to_track)

    @property
    def to_track(self) -> dict[int, FrameFeatures]:
        """Features, by frame number, of fusion frames that have not been tracked yet."""
        return self._to_track

    def read_fusion_frames(
        self, fusion_frames: Sequence[int], anchors: Iterable[int], seg_model: SegModel, on_progress: OnProgress
    ) -> None:
        """Reads on until all fusion frames are encoded, unless they are here already.

        fusion_frames: frame numbers.
        anchors: those among them that are tracked as anchors.
        """
        missing, count = set(fusion_frames) - self._coarse.keys(), len(set(fusion_frames))
        anchors = set(anchors)
        on_progress(Stage.FUSE, count - len(missing), count)
        while missing and (frame := next(self._frames, None)) is not None:
            if frame.index not in missing:
                continue
            if self._faithful:
                self._coarse[frame.index] = self.encode(frame.rgb, seg_model, bilinear=True).coarse
                if frame.index in anchors:
                    self._to_track[frame.index] = self.encode(frame.rgb, seg_model)
            else:
                self._to_track[frame.index] = self.encode(frame.rgb, seg_model)
                self._coarse[frame.index] = self._to_track[frame.index].coarse
            missing.remove(frame.index)
            on_progress(Stage.FUSE, count - len(missing), count)

    def coarse_maps(self, fusion_frames: Sequence[int]) -> Tensor:
        """The coarse maps (T, C, h, w) of T fusion frames, for the fusions."""
        return torch.cat([self._coarse[frame] for frame in fusion_frames])

    def release_coarse_maps(self) -> None:
        """Lets go of what only the fusions need."""
        self._coarse.clear()

    def take(self, frame: Frame, seg_model: SegModel) -> FrameFeatures:
        """The features of a frame whose turn to be tracked has come; they are not held any longer."""
        features = self._to_track.pop(frame.index, None)
        return self.encode(frame.rgb, seg_model) if features is None else features

    def encode(self, rgb: np.ndarray, seg_model: SegModel, *, bilinear: bool = False) -> FrameFeatures:
        """The features of one picture (H, W, 3) uint8. bilinear: with the filter of the published fusions."""
        image = to_square(rgb, self._parts.config.segmentation.image_size, bilinear=bilinear).to(self._parts.device)
        return seg_model.encode(image[None])
