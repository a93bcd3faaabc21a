"""From masks to numbers: a row per expression, and means over rows (spec/datasets.md section 5, Aggregation)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean

import numpy as np

from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import j_and_f
from virst_cli.bench.parallel import in_order
from virst_cli.bench.robustness import MEASURED, accuracy_and_robustness
from virst_cli.bench.samples import Expression, Hidden, Sample

Scores = dict[str, float]  # J, F and J&F, x 100; for ReVOS also A, A_255, R_255 and R_binary

REFERRING, REASONING = "referring", "reasoning"  # types of ReVOS that its averages are made of


@dataclass(frozen=True)
class ExpressionScore:
    """An expression's result: J and F are means over all frames of the video, between 0 and 1."""

    video: str
    expression: str
    type: str | None
    j: float
    f: float
    empty: bool  # answered, and with no pixel in any frame
    more: Mapping[str, float] = field(default_factory=dict)  # A, A_255, R_255 and R_binary, where they are measured


def score(sample: Sample, answers: Iterable[FrameMasks]) -> list[ExpressionScore]:
    """A row for every expression. `answers`: per frame of the video a mask (H, W) for each, None where one is missing.

    Takes one frame at a time. An expression that lacks a mask scores 0; the caller lists it. One whose truth is hidden
    has no row.
    """
    tallies = [_Tally(sample, expression) for expression in sample.expressions]
    for found in in_order(partial(_measured, sample), enumerate(answers)):
        for tally, frame in zip(tallies, found, strict=True):
            tally.add(frame)
    return [tally.row() for tally in tallies if not tally.hidden]


def means(rows: Sequence[ExpressionScore]) -> Scores:
    """J, F and J&F x 100, and what else was measured: plain means over expressions, unrounded."""
    more = {name: 100 * fmean(row.more[name] for row in rows) for name in rows[0].more}
    return _joined({"J": 100 * fmean(row.j for row in rows), "F": 100 * fmean(row.f for row in rows)}) | more


def revos_groups(rows: Iterable[ExpressionScore]) -> dict[str, Scores | None]:
    """The published averages of ReVOS: every expression's percentage is rounded to 2 decimals before it is averaged.

    Overall is the plain mean of the two groups, however many sentences each has; None for a group without any.
    """
    types = by_type(rows)
    groups = {name: _rounded_means(types[name]) if name in types else None for name in (REFERRING, REASONING)}
    there = [group for group in groups.values() if group is not None]
    overall = {name: fmean(group[name] for group in there) for name in there[0]} if there else None
    return {**groups, "overall": overall}


def by_type(rows: Iterable[ExpressionScore]) -> dict[str, list[ExpressionScore]]:
    """The rows of every type, in the order in which types first appear; without those that have none."""
    return _grouped((row.type, row) for row in rows if row.type is not None)


def by_video(rows: Iterable[ExpressionScore]) -> dict[str, list[ExpressionScore]]:
    """The rows of every video, in the order in which videos first appear."""
    return _grouped((row.video, row) for row in rows)


def _grouped(named: Iterable[tuple[str, ExpressionScore]]) -> dict[str, list[ExpressionScore]]:
    groups: dict[str, list[ExpressionScore]] = {}
    for name, row in named:
        groups.setdefault(name, []).append(row)
    return groups


def _rounded_means(rows: Sequence[ExpressionScore]) -> Scores:
    percentages = [{name: round(100 * value, 2) for name, value in {"J": row.j, "F": row.f, **row.more}.items()} for row in rows]
    return _joined({name: fmean(each[name] for each in percentages) for name in percentages[0]})


def _joined(scores: Mapping[str, float]) -> Scores:
    """With J&F, behind J and F."""
    more = {name: value for name, value in scores.items() if name not in ("J", "F")}
    return {"J": scores["J"], "F": scores["F"], "J&F": (scores["J"] + scores["F"]) / 2, **more}


@dataclass(frozen=True)
class _Frame:
    """One mask, measured. scores: by name, between 0 and 1; empty where the frame does not count."""

    scores: Mapping[str, float]
    filled: bool


def _measured(sample: Sample, answer: tuple[int, FrameMasks]) -> list[_Frame | None]:
    """The masks of a frame, measured; None where there is none."""
    frame, masks = answer
    union = sample.foreground[frame] if sample.foreground is not None else None
    foreground = 0 if union is None else int(np.count_nonzero(np.asarray(union)))
    found: list[_Frame | None] = []
    for said, mask in zip(sample.expressions, masks, strict=True):
        if mask is None:
            found.append(None)
            continue
        scores: dict[str, float] = {}
        if not isinstance(said.truth, Hidden) and (said.annotated is None or frame in said.annotated):
            known = said.truth[frame]
            truth = np.zeros(mask.shape, dtype=bool) if known is None else known
            scores = dict(zip(("J", "F"), j_and_f(mask, truth), strict=True))
            if sample.foreground is not None:
                scores |= accuracy_and_robustness(np.asarray(mask), np.asarray(truth), foreground)
        found.append(_Frame(scores, bool(mask.any())))
    return found


class _Tally:
    """Collects one expression's frames."""

    def __init__(self, sample: Sample, expression: Expression) -> None:
        self._video = sample.video
        self._expression = expression
        self._more = MEASURED if sample.foreground is not None else ()
        self._frames: list[_Frame] = []
        self._lacks = False
        self.hidden = isinstance(expression.truth, Hidden)

    def add(self, frame: _Frame | None) -> None:
        if frame is None:
            self._lacks = True
        else:
            self._frames.append(frame)

    def row(self) -> ExpressionScore:
        said = self._expression
        more = {name: self._mean(name) for name in self._more}
        empty = not self._lacks and not any(frame.filled for frame in self._frames)
        return ExpressionScore(self._video, said.id, said.type, self._mean("J"), self._mean("F"), empty, more)

    def _mean(self, name: str) -> float:
        return 0.0 if self._lacks else fmean(frame.scores[name] for frame in self._frames if frame.scores)
