"""From masks to numbers: a row per expression, and means over rows (spec/datasets.md section 5, Aggregation)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from virst_cli.bench.metrics import Mask, boundary, region
from virst_cli.bench.samples import Expression, Sample
from virst_cli.errors import UsageError, VirstError

Scores = dict[str, float]  # J, F and J&F, x 100


@dataclass(frozen=True)
class Row:
    """An expression's result: J and F are means over all frames of the video, between 0 and 1."""

    video: str
    expression: str
    type: str | None
    j: float
    f: float
    empty: bool  # answered, and with no pixel in any frame


def score(sample: Sample, answers: Iterable[Iterable[Mask | None]]) -> list[Row]:
    """A row for every expression. `answers`: per frame of the video a mask (H, W) for each, None where one is missing.

    Takes one frame at a time. A missing mask counts as J = F = 0, also where the truth is empty; the caller lists it.
    Raises `VirstError` unless there is an answer for every frame.
    """
    tallies = [_Tally(sample.video, expression) for expression in sample.expressions]
    frames = 0
    for frames, masks in enumerate(answers, start=1):
        if frames > len(sample.frame_names):
            break
        for tally, mask in zip(tallies, masks, strict=True):
            tally.add(frames - 1, mask)
    if frames != len(sample.frame_names):
        count = "more" if frames > len(sample.frame_names) else f"only {frames}"
        raise VirstError(f"{sample.video}: {count} frames of masks came for {len(sample.frame_names)} frames of video")
    return [tally.row() for tally in tallies]


def zeros(sample: Sample) -> list[Row]:
    """The rows of a video that could not be answered; the caller lists it as missing."""
    return [Row(sample.video, expression.id, expression.type, 0.0, 0.0, empty=False) for expression in sample.expressions]


def means(rows: Sequence[Row]) -> Scores:
    """J, F and J&F x 100: plain means over expressions, unrounded."""
    j, f = 100 * fmean(row.j for row in rows), 100 * fmean(row.f for row in rows)
    return {"J": j, "F": f, "J&F": (j + f) / 2}


def by_type(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of every type, in the order in which types first appear; without those that have none."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.type is not None:
            groups.setdefault(row.type, []).append(row)
    return groups


class _Tally:
    """Collects one expression's frames."""

    def __init__(self, video: str, expression: Expression) -> None:
        self._video = video
        self._expression = expression
        self._j: list[float] = []
        self._f: list[float] = []
        self._answered = self._filled = False

    def add(self, frame: int, mask: Mask | None) -> None:
        if mask is None:
            self._j.append(0.0)
            self._f.append(0.0)
            return
        truth = self._expression.truth[frame]
        if truth is None:
            truth = np.zeros_like(mask)
        if truth.shape != mask.shape:
            raise UsageError(
                f"{self._video}/{self._expression.id}, frame {frame}: the mask has {_size(mask)} pixels, the true one "
                f"{_size(truth)}; masks must have the size of the video"
            )
        self._j.append(region(mask, truth))
        self._f.append(boundary(mask, truth))
        self._answered = True
        self._filled = self._filled or bool(mask.any())

    def row(self) -> Row:
        expression = self._expression
        empty = self._answered and not self._filled
        return Row(self._video, expression.id, expression.type, fmean(self._j), fmean(self._f), empty)


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]}x{mask.shape[0]}"
