"""Tracking, frame by frame: `step` takes a frame's features and gives its masks (spec sections 10 and 11)."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from virst_cli.model.seg_model import NOTHING_SEEN, FrameFeatures, SegModel, Tracked
from virst_cli.tracking.memory_bank import MemoryBank


class Tracker:
    """Tracks n sentences through a video. It knows frame numbers and features, and nothing of files or text."""

    def __init__(self, seg_model: SegModel, length: int) -> None:
        """length: frames of the video."""
        self.seg_model = seg_model
        self.length = length
        self.memory = MemoryBank()
        self._absent: Tensor | None = None  # n bool   sentences whose target this chunk does not show; see `present_from`

    def begin_chunk(self, features: Mapping[int, FrameFeatures], prompts: Mapping[int, list[Tensor]]) -> None:
        """Finds the masks of a chunk's anchors from their prompts alone, before any of its frames is tracked.

        features: of the anchors, by frame number.
        prompts: mask prompts (n, 10, C) of each anchor. A video of one frame has two prompts for it: the masks from the first are
            then a mask prompt for the second.
        """
        anchors: dict[int, Tracked] = {}
        for frame, given in prompts.items():
            for prompt in given:
                earlier = anchors[frame].logits if frame in anchors else None
                anchors[frame] = self.seg_model.anchor(features[frame], prompt, earlier)
        self.memory.begin_chunk(anchors)
        if self.seg_model.config.present_from is not None:
            scores = torch.cat([anchor.score for anchor in anchors.values()], dim=1)  # n,anchors
            self._absent = scores.amax(1) <= self.seg_model.config.present_from

    def step(self, frame: int, features: FrameFeatures) -> Tracked:
        """The masks of the next frame. An anchor keeps its own; any other frame attends to the memory bank."""
        if frame in self.memory.anchors:
            return self._without_absent(self.memory.anchors[frame])
        tracked = self.seg_model.propagate(features, frame, self.memory.anchors, self.memory.recent, self.length)
        self.memory.add(frame, tracked)
        return self._without_absent(tracked)

    def _without_absent(self, tracked: Tracked) -> Tracked:
        """Empties the masks of sentences that no anchor of the chunk is sure of: a low score in every anchor means doubt."""
        if self._absent is None:
            return tracked
        logits = tracked.logits.masked_fill(self._absent[:, None, None, None], NOTHING_SEEN)
        score = torch.where(self._absent[:, None], tracked.score.clamp(max=0.0), tracked.score)
        return replace(tracked, logits=logits, score=score)
