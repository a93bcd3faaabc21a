"""Tracking, frame by frame: `step` takes a frame's features and gives its masks (spec sections 10 and 11)."""

from collections.abc import Mapping

from torch import Tensor

from virst_cli.model.seg_model import FrameFeatures, SegModel, Tracked
from virst_cli.tracking.memory import MemoryBank


class Tracker:
    """Tracks n sentences through a video of `length` frames. Knows frame numbers and features, nothing of files or text."""

    def __init__(self, seg_model: SegModel, length: int) -> None:
        self.seg_model = seg_model
        self.length = length
        self.memory = MemoryBank()

    def begin_chunk(self, features: Mapping[int, FrameFeatures], prompts: Mapping[int, list[Tensor]]) -> None:
        """Answer the chunk's anchors from their prompts (n,10,C) alone, before any of its frames is tracked.

        A one-frame video has two prompts for the same frame: the first answer is then a mask prompt for the second.
        """
        anchors: dict[int, Tracked] = {}
        for frame, asked in prompts.items():
            for prompt in asked:
                earlier = anchors[frame].logits if frame in anchors else None
                anchors[frame] = self.seg_model.anchor(features[frame], prompt, earlier)
        self.memory.begin_chunk(anchors)

    def step(self, frame: int, features: FrameFeatures) -> Tracked:
        """The masks of the next frame. An anchor's stay as they are; any other frame attends to the memory."""
        if frame in self.memory.anchors:
            return self.memory.anchors[frame]
        tracked = self.seg_model.propagate(features, frame, self.memory.anchors, self.memory.recent, self.length)
        self.memory.add(frame, tracked)
        return tracked
