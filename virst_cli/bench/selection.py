"""The course of a run: which videos it takes, and how it tells how far it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from virst_cli.bench.samples import Dataset, Sample
from virst_cli.errors import UsageError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class BenchProgress:
    """How far a run is, after each frame."""

    video: str
    frame: int  # frames of this video that are done, 1 after the first
    frames: int
    videos_done: int  # without this one
    videos: int


def select_videos(dataset: Dataset, *, limit: int | None = None, shard: tuple[int, int] = (1, 1)) -> range:
    """Numbers of the videos to score: the first `limit`, and of those every n-th from the i-th on for shard (i, n).

    Raises `UsageError` for a shard that is none, or when no video is left.
    """
    part, parts = shard
    if not 1 <= part <= parts:
        raise UsageError(f"no shard {part}/{parts}: the first number counts from 1 to the second")
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} leaves no video: use 1 or more")
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if part > count:
        raise UsageError(f"shard {part}/{parts} of {count} videos is empty: use fewer shards")
    return range(part - 1, count, parts)


def with_progress(
    answers: Iterator[Answer], progress: Callable[[BenchProgress], None] | None, sample: Sample, done: int, videos: int
) -> Iterator[Answer]:
    """The same answers, one a frame of `sample`; calls `progress` with each."""
    for frame, answer in enumerate(answers, start=1):
        if progress is not None:
            progress(BenchProgress(sample.video, frame, len(sample.frame_names), done, videos))
        yield answer
