"""Which frames the model looks at, before it looks (spec sections 3 and 10).

The language model looks at up to 64 frames of the whole video. Tracking goes through the video in chunks, and each
chunk has its own fusion frames, some of which (a quarter, as published) are anchors. A video of one chunk has the frames
of the published code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from virst_cli.tracking.anchors import CHUNK, PUBLISHED, choose
from virst_cli.video.sample import flex, spread

LOOKS = 64  # frames for the language model, at most; a model's configuration may say less
FUSION_FRAMES = 32  # at most, a chunk


@dataclass(frozen=True)
class Plan:
    """Frames for the language model (`looks`), places in `looks` of those for the fusions, and prompt templates (from 1)."""

    looks: tuple[int, ...]
    fusion_places: tuple[int, ...]
    question: int = 1
    answer: int = 1

    @staticmethod
    def of(length: int, most: int = LOOKS) -> "Plan":
        """The plan for a video, or a chunk, of that many frames. Deterministic: the middle frame of every segment.

        most: frames for the language model.
        """
        looks = flex(length, most)
        return Plan(tuple(looks), tuple(spread(len(looks), min(FUSION_FRAMES, len(looks)))))

    @property
    def fusion_frames(self) -> list[int]:
        """Frame numbers in order; a video of less than eight frames repeats its last one."""
        return [self.looks[place] for place in self.fusion_places]


@dataclass(frozen=True)
class Chunk:
    """Frames `start` <= number < `stop`, tracked from the same anchors."""

    start: int
    stop: int
    fusion_frames: tuple[int, ...]
    per_anchor: int = PUBLISHED

    @property
    def anchors(self) -> list[tuple[int, int]]:
        """(place among the fusion frames, frame number) of every anchor."""
        return [(place, self.fusion_frames[place]) for place in choose(len(self.fusion_frames), self.per_anchor)]


def chunks(length: int, plan: Plan, size: int = CHUNK, per_anchor: int = PUBLISHED) -> Sequence[Chunk]:
    """The video in as few chunks of at most `size` frames as possible, all about as long.

    per_anchor: fusion frames for each anchor.
    """
    count = -(-length // size)
    if count == 1:
        return [Chunk(0, length, tuple(plan.fusion_frames), per_anchor)]
    edges = [round(place * length / count) for place in range(count + 1)]
    return [
        Chunk(start, stop, tuple(start + frame for frame in Plan.of(stop - start).fusion_frames), per_anchor)
        for start, stop in pairwise(edges)
    ]
