"""From masks to numbers: a score per expression, and means over scores (spec/datasets.md section 5, Aggregation)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean

import numpy as np

from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import j_and_f
from virst_cli.bench.parallel import map_in_order
from virst_cli.bench.robustness import MEASURED, accuracy_and_robustness
from virst_cli.bench.samples import Expression, Hidden, Sample

Scores = dict[str, float]  # J, F and J&F, x 100; for ReVOS also A, A_255, R_255 and R_binary

REFERRING, REASONING = "referring", "reasoning"  # the types of ReVOS that its averages are made of


@dataclass(frozen=True)
class ExpressionScore:
    """The result of an expression: J and F are means over all frames of the video, between 0 and 1.

    empty: every frame has a mask, and no mask has a pixel.
    more: A, A_255, R_255 and R_binary, between 0 and 1, where they are measured.
    """

    video: str
    expression: str
    type: str | None
    j: float
    f: float
    empty: bool
    more: Mapping[str, float] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        """J&F x 100."""
        return 50 * (self.j + self.f)


def score_masks(sample: Sample, masks_by_frame: Iterable[FrameMasks]) -> list[ExpressionScore]:
    """Scores every expression of a sample.

    masks_by_frame: for every frame of the video a mask (H, W) for each expression, None where one is missing; a frame is
    measured as soon as it is there, and then dropped.

    An expression that lacks a mask scores 0; the caller lists it. One whose truth is hidden has no score.
    """
    tallies = [_Tally(sample, expression) for expression in sample.expressions]
    for measured in map_in_order(partial(_measure, sample), enumerate(masks_by_frame)):
        for tally, frame in zip(tallies, measured, strict=True):
            tally.add(frame)
    return [tally.score() for tally in tallies if not tally.hidden]


def means(scores: Sequence[ExpressionScore]) -> Scores:
    """J, F and J&F x 100, and whatever else was measured: plain means over expressions, unrounded."""
    more = {name: 100 * fmean(score.more[name] for score in scores) for name in scores[0].more}
    return _with_j_and_f({"J": 100 * fmean(score.j for score in scores), "F": 100 * fmean(score.f for score in scores)}) | more


def revos_groups(scores: Iterable[ExpressionScore]) -> dict[str, Scores | None]:
    """The published averages of ReVOS: every expression's percentage is rounded to 2 decimals before it is averaged.

    Overall is the plain mean of the two groups, however many sentences each has; None for a group without any.
    """
    types = by_type(scores)
    groups = {name: _rounded_means(types[name]) if name in types else None for name in (REFERRING, REASONING)}
    there = [group for group in groups.values() if group is not None]
    overall = {name: fmean(group[name] for group in there) for name in there[0]} if there else None
    return {**groups, "overall": overall}


def by_type(scores: Iterable[ExpressionScore]) -> dict[str, list[ExpressionScore]]:
    """The scores of every type, in the order in which types first appear; without expressions that have no type."""
    return _grouped((score.type, score) for score in scores if score.type is not None)


def by_video(scores: Iterable[ExpressionScore]) -> dict[str, list[ExpressionScore]]:
    """The scores of every video, in the order in which videos first appear."""
    return _grouped((score.video, score) for score in scores)


def _grouped(named: Iterable[tuple[str, ExpressionScore]]) -> dict[str, list[ExpressionScore]]:
    groups: dict[str, list[ExpressionScore]] = {}
    for name, score in named:
        groups.setdefault(name, []).append(score)
    return groups


def _rounded_means(scores: Sequence[ExpressionScore]) -> Scores:
    percentages = [
        {name: round(100 * value, 2) for name, value in {"J": score.j, "F": score.f, **score.more}.items()} for score in scores
    ]
    return _with_j_and_f({name: fmean(each[name] for each in percentages) for name in percentages[0]})


def _with_j_and_f(scores: Mapping[str, float]) -> Scores:
    """The same scores with J&F after J and F."""
    more = {name: value for name, value in scores.items() if name not in ("J", "F")}
    return {"J": scores["J"], "F": scores["F"], "J&F": (scores["J"] + scores["F"]) / 2, **more}


@dataclass(frozen=True)
class _MeasuredMask:
    """The measures of one mask. scores: by name, between 0 and 1; empty where the frame does not count."""

    scores: Mapping[str, float]
    filled: bool


def _measure(sample: Sample, frame_masks: tuple[int, FrameMasks]) -> list[_MeasuredMask | None]:
    """Measures the masks of a frame, which comes with its number; None where there is no mask."""
    frame, masks = frame_masks
    union = sample.foreground[frame] if sample.foreground is not None else None
    foreground = 0 if union is None else int(np.count_nonzero(np.asarray(union)))
    measured: list[_MeasuredMask | None] = []
    for expression, mask in zip(sample.expressions, masks, strict=True):
        if mask is None:
            measured.append(None)
            continue
        scores: dict[str, float] = {}
        if not isinstance(expression.truth, Hidden) and (expression.annotated is None or frame in expression.annotated):
            stored = expression.truth[frame]
            truth = np.zeros(mask.shape, dtype=bool) if stored is None else stored
            scores = dict(zip(("J", "F"), j_and_f(mask, truth), strict=True))
            if sample.foreground is not None:
                scores |= accuracy_and_robustness(np.asarray(mask), np.asarray(truth), foreground)
        measured.append(_MeasuredMask(scores, bool(mask.any())))
    return measured


class _Tally:
    """Collects the measured masks of one expression."""

    def __init__(self, sample: Sample, expression: Expression) -> None:
        self._video = sample.video
        self._expression = expression
        self._more = MEASURED if sample.foreground is not None else ()
        self._masks: list[_MeasuredMask] = []
        self._lacks_masks = False
        self.hidden = isinstance(expression.truth, Hidden)

    def add(self, mask: _MeasuredMask | None) -> None:
        if mask is None:
            self._lacks_masks = True
        else:
            self._masks.append(mask)

    def score(self) -> ExpressionScore:
        expression = self._expression
        more = {name: self._mean(name) for name in self._more}
        empty = not self._lacks_masks and not any(mask.filled for mask in self._masks)
        return ExpressionScore(self._video, expression.id, expression.type, self._mean("J"), self._mean("F"), empty, more)

    def _mean(self, name: str) -> float:
        return 0.0 if self._lacks_masks else fmean(mask.scores[name] for mask in self._masks if mask.scores)
