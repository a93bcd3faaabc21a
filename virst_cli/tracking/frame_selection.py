"""Which frames are used for what (spec sections 3 and 10). Frame numbers only: nothing here sees a picture.

The language model looks at up to 64 frames of the whole video. Tracking goes through the video in chunks. Each chunk has its own
fusion frames, and some of these (one in four, as published) are its anchors: frames whose masks come from the sentence alone.
Every other frame is propagated from its nearest anchors and the frames just before it; SAM 2's memory attention picks those
(see `NEAREST_ANCHORS` and `RECENT_FRAMES` in `model.config`). A video of one chunk uses the frames of the published code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from virst_cli.model.config import SegmentationConfig

MAX_LM_FRAMES = 64  # frames for the language model; a model's configuration may say less
MIN_LM_FRAMES = 8  # frames that the vision tower gets at least: two clips of four
MAX_FUSION_FRAMES = 32  # of a chunk
FRAMES_PER_ANCHOR = SegmentationConfig.frames_per_anchor  # fusion frames for each anchor, as published
PUBLISHED_CHUNK = SegmentationConfig.chunk  # frames that share anchors, as published


@dataclass(frozen=True)
class Plan:
    """The frames of a video that the model looks at, and the prompt templates that it is asked with."""

    lm_frames: tuple[int, ...]  # frame numbers, for the language model
    fusion_places: tuple[int, ...]  # places in `lm_frames` of the frames for the fusions
    question: int = 1  # number of the question template, from 1
    answer: int = 1  # number of the answer template, from 1

    @staticmethod
    def of(length: int, most: int = MAX_LM_FRAMES) -> "Plan":
        """The plan for a video, or a chunk, of `length` frames: the middle frame of every segment, the same in every run.

        most: frames for the language model.
        """
        lm_frames = segment_centres(length, most)
        return Plan(tuple(lm_frames), tuple(evenly_spaced(len(lm_frames), min(MAX_FUSION_FRAMES, len(lm_frames)))))

    @property
    def fusion_frames(self) -> list[int]:
        """Frame numbers in order; a video of less than eight frames repeats its last one."""
        return [self.lm_frames[place] for place in self.fusion_places]


@dataclass(frozen=True)
class Chunk:
    """Frames `start` <= number < `stop`, tracked from the same anchors."""

    start: int
    stop: int
    fusion_frames: tuple[int, ...]
    per_anchor: int = FRAMES_PER_ANCHOR

    @property
    def anchors(self) -> list[tuple[int, int]]:
        """(place among the fusion frames, frame number) of every anchor."""
        return [(place, self.fusion_frames[place]) for place in anchor_places(len(self.fusion_frames), self.per_anchor)]


def split_into_chunks(
    length: int, plan: Plan, size: int = PUBLISHED_CHUNK, per_anchor: int = FRAMES_PER_ANCHOR
) -> Sequence[Chunk]:
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


def segment_centres(length: int, limit: int = MAX_LM_FRAMES, clip: int = 4) -> list[int]:
    """Numbers of the frames, out of `length`, that are shown to the language model, in order (spec section 3, "flex").

    A whole number of clips: at most `limit` frames, one from the middle of each of as many equal segments. Up to eight frames
    all are taken, and the last one is repeated to make eight. The published code draws a frame at random from each segment
    instead; with the middle two runs agree.

    >>> segment_centres(10)
    [0, 1, 2, 3, 5, 6, 7, 8]
    >>> segment_centres(3)
    [0, 1, 2, 2, 2, 2, 2, 2]
    """
    if length < 1 or limit < clip:
        raise ValueError(f"no {clip} frames to choose: length {length}, limit {limit}")
    if length <= MIN_LM_FRAMES:
        return [min(i, length - 1) for i in range(MIN_LM_FRAMES)]
    count = clip * (min(limit, length) // clip)
    bounds = [i * length // count for i in range(count + 1)]
    return [(here + there - 1) // 2 for here, there in pairwise(bounds)]


def evenly_spaced(n: int, t: int) -> list[int]:
    """`t` positions out of `n`, each in the middle of its share: floor((j + 0.5) * n / t). All positions, if `n` <= `t`.

    >>> evenly_spaced(64, 4)
    [8, 24, 40, 56]
    """
    if n <= t:
        return list(range(n))
    return [(2 * j + 1) * n // (2 * t) for j in range(t)]


def anchor_places(fusion_frames: int, per_anchor: int = FRAMES_PER_ANCHOR) -> list[int]:
    """Places of the anchors among `fusion_frames` fusion frames: one for every `per_anchor`, evenly spread, ends included.

    >>> anchor_places(32)
    [0, 4, 9, 13, 18, 22, 27, 31]
    """
    count = max(1, fusion_frames // per_anchor)
    return [round(float(place)) for place in np.linspace(0, fusion_frames - 1, count, dtype=np.float32)]  # halves to even
