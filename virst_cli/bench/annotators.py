"""The standard protocol of Ref-DAVIS17 (spec/datasets.md section 5): four annotators, each of whom described every object.

Expression `4 * object + annotator` is one annotator's description of one object. The masks of an annotator's sentences are merged
into a picture of numbered objects, in which each pixel has one number at most. Each picture is scored as the DAVIS-2017 toolkit
scores unsupervised proposals: void pixels do not count, proposals and true objects are paired so that J&F is highest, and every
true object of every annotator is a result.
"""

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import j_and_f
from virst_cli.bench.parallel import map_in_order
from virst_cli.bench.samples import Labels, Sample
from virst_cli.bench.scores import ExpressionScore

ANNOTATORS = 4
VOID = 255  # the label of pixels that are not scored


def has_four_per_object(ids: Iterable[str]) -> bool:
    """Whether expressions are numbered as the protocol needs it: 0, 1 ... with four for every object."""
    numbers = sorted(int(number) if number.isdecimal() else -1 for number in ids)
    return numbers == list(range(len(numbers))) and len(numbers) % ANNOTATORS == 0


class FourAnnotators:
    """Scores the objects of a video by the standard protocol, from its masks as they pass."""

    def __init__(self, sample: Sample, labels: Labels) -> None:
        self._sample, self._labels = sample, labels
        self._positions = {int(expression.id): position for position, expression in enumerate(sample.expressions)}
        self._objects = len(sample.expressions) // ANNOTATORS
        first = labels[0]
        self._true = int(first[first != VOID].max(initial=0))  # as the toolkit counts true objects
        proposals = max(self._objects, self._true)  # the toolkit also adds empty proposals up to that number
        self._sums = np.zeros((ANNOTATORS, proposals, self._true, 2))  # of J and F over frames

    def observe(self, masks_by_frame: Iterable[FrameMasks]) -> Iterator[FrameMasks]:
        """Gives the same masks, frame by frame, and measures them."""
        for masks, scores in map_in_order(self._measure, enumerate(masks_by_frame)):
            self._sums += scores
            yield masks

    def scores(self) -> list[ExpressionScore]:
        """A score for every true object and annotator, once all masks have passed."""
        means = self._sums / len(self._sample.frame_names)
        return [
            ExpressionScore(
                self._sample.video, f"annotator {annotator}, object {true + 1}", None, float(j), float(f), empty=False
            )
            for annotator in range(ANNOTATORS)
            for true, (j, f) in enumerate(_pair(means[annotator]))
        ]

    def _measure(self, frame_masks: tuple[int, FrameMasks]) -> tuple[FrameMasks, NDArray[np.float64]]:
        """The masks of a frame, which comes with its number, and J and F of every proposal with every true object."""
        frame, masks = frame_masks
        labels = self._labels[frame]
        scored = labels != VOID
        scores = np.zeros_like(self._sums)
        for annotator in range(ANNOTATORS):
            described = [masks[self._positions[ANNOTATORS * number + annotator]] for number in range(self._objects)]
            merged = merge_masks(described, labels.shape)
            for proposal in range(scores.shape[1]):
                prediction = (merged == proposal + 1) & scored
                for true in range(self._true):
                    scores[annotator, proposal, true] = j_and_f(prediction, labels == true + 1)
        return masks, scores


def merge_masks(masks: FrameMasks, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Masks (H, W) as labels (H, W): 0 for background, else 1 + the position of the first mask that has the pixel."""
    labels = np.zeros(shape, np.uint8)
    for number in range(len(masks), 0, -1):
        mask = masks[number - 1]
        if mask is not None:
            labels[np.asarray(mask)] = number
    return labels


def _pair(scores: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """J and F of every true object with the proposal that it is paired with. scores: (proposals, true objects, 2)."""
    sums = scores.sum(axis=2)

    @cache
    def best(true: int, taken: int) -> tuple[float, tuple[int, ...]]:
        """The highest sum for the true objects from this one on, and their proposals; `taken` has a bit for each used one."""
        if true == sums.shape[1]:
            return 0.0, ()
        choices = []
        for proposal in range(sums.shape[0]):
            if not taken >> proposal & 1:
                rest, pairs = best(true + 1, taken | 1 << proposal)
                choices.append((sums[proposal, true] + rest, (proposal, *pairs)))
        return max(choices, key=lambda choice: choice[0])

    _, proposals = best(0, 0)
    return [scores[proposal, true] for true, proposal in enumerate(proposals)]
