"""The standard protocol of Ref-DAVIS17 (spec/datasets.md section 5): four annotators, each of whom described every object.

Expression `4 * object + annotator` is what one annotator said of one object. The masks of one annotator's sentences are
merged into a picture of numbered objects, in which no pixel has two. Each picture is scored as the DAVIS-2017 toolkit
scores unsupervised proposals: void pixels do not count, proposals and true objects are paired so that J&F is highest,
and every true object of every annotator is a result.
"""

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import j_and_f
from virst_cli.bench.parallel import in_order
from virst_cli.bench.samples import Labels, Sample
from virst_cli.bench.scores import ExpressionScore

ANNOTATORS = 4
VOID = 255  # a label where nobody knows


def described_by_four(ids: Iterable[str]) -> bool:
    """Whether expressions are numbered as the protocol wants it: 0, 1 ... with four for every object."""
    found = sorted(int(number) if number.isdecimal() else -1 for number in ids)
    return found == list(range(len(found))) and len(found) % ANNOTATORS == 0


class FourAnnotators:
    """Watches the masks of a video go by, and then knows the rows of its objects."""

    def __init__(self, sample: Sample, labels: Labels) -> None:
        self._sample, self._labels = sample, labels
        self._places = {int(expression.id): place for place, expression in enumerate(sample.expressions)}
        self._objects = len(sample.expressions) // ANNOTATORS
        first = labels[0]
        self._true = int(first[first != VOID].max(initial=0))  # as the toolkit counts them
        proposals = max(self._objects, self._true)  # the toolkit, too, fills up with empty ones
        self._sums = np.zeros((ANNOTATORS, proposals, self._true, 2))  # of J and F over frames

    def watching(self, answers: Iterable[FrameMasks]) -> Iterator[FrameMasks]:
        """The same masks."""
        for masks, scores in in_order(self._measured, enumerate(answers)):
            self._sums += scores
            yield masks

    def rows(self) -> list[ExpressionScore]:
        """A row for every true object and annotator, once all masks have gone by."""
        means = self._sums / len(self._sample.frame_names)
        return [
            ExpressionScore(
                self._sample.video, f"annotator {annotator}, object {true + 1}", None, float(j), float(f), empty=False
            )
            for annotator in range(ANNOTATORS)
            for true, (j, f) in enumerate(_paired(means[annotator]))
        ]

    def _measured(self, answer: tuple[int, FrameMasks]) -> tuple[FrameMasks, NDArray[np.float64]]:
        """The masks of a frame, and J and F of every proposal with every true object."""
        frame, masks = answer
        labels = self._labels[frame]
        known = labels != VOID
        scores = np.zeros_like(self._sums)
        for annotator in range(ANNOTATORS):
            said = [masks[self._places[ANNOTATORS * number + annotator]] for number in range(self._objects)]
            merged = merge(said, labels.shape)
            for proposal in range(scores.shape[1]):
                guess = (merged == proposal + 1) & known
                for true in range(self._true):
                    truth = labels == true + 1
                    scores[annotator, proposal, true] = j_and_f(guess, truth)
        return masks, scores


def merge(masks: FrameMasks, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Masks (H, W) as labels (H, W): 0 background, else 1 + the first of them that claims the pixel."""
    labels = np.zeros(shape, np.uint8)
    for number in range(len(masks), 0, -1):
        mask = masks[number - 1]
        if mask is not None:
            labels[np.asarray(mask)] = number
    return labels


def _paired(scores: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """J and F of every true object with its proposal. scores: (proposals, true objects, 2)."""
    both = scores.sum(axis=2)

    @cache
    def best(true: int, taken: int) -> tuple[float, tuple[int, ...]]:
        """The highest sum for the true objects from this one on, and their proposals; `taken`: a bit for each that is gone."""
        if true == both.shape[1]:
            return 0.0, ()
        choices = []
        for proposal in range(both.shape[0]):
            if not taken >> proposal & 1:
                rest, pairs = best(true + 1, taken | 1 << proposal)
                choices.append((both[proposal, true] + rest, (proposal, *pairs)))
        return max(choices, key=lambda choice: choice[0])

    _, proposals = best(0, 0)
    return [scores[proposal, true] for true, proposal in enumerate(proposals)]
