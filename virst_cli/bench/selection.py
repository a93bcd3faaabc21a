"""Which videos of a data set a run takes, and how it reports its progress through them."""

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

    Raises `UsageError` for an impossible shard, or when no video is left.
    """
    part, parts = shard
    if not 1 <= part <= parts:
        raise UsageError(f"--shard {part}/{parts} is impossible: the first number must be between 1 and the second")
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}")
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if part > count:
        raise UsageError(f"--shard {part}/{parts} is empty, because there are only {count} videos; use fewer shards")
    return range(part - 1, count, parts)


def with_progress(
    answers: Iterator[Answer], progress: Callable[[BenchProgress], None] | None, sample: Sample, done: int, videos: int
) -> Iterator[Answer]:
    """Gives the same answers, one for each frame of `sample`, and calls `progress` with each."""
    for frame, answer in enumerate(answers, start=1):
        if progress is not None:
            progress(BenchProgress(sample.video, frame, len(sample.frame_names), done, videos))
        yield answer
