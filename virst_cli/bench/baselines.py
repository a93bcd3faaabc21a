"""Baselines: scores that need no understanding of the sentence; a model that does not beat them has not read it.

They are computed in the same run on the same sentences. Largest and random object are given the true masks of all objects, so
they are strong where a video has few objects; a shuffled sentence shows what the model does when its words say nothing about the
video.
"""

from dataclasses import replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.mask_sources import Model, ModelMasks
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.bench.scores import ExpressionScore, score_masks

LARGEST, RANDOM, SHUFFLED = "largest_object", "random_object", "shuffled_sentence"


def object_baselines(sample: Sample, objects: NDArray[np.uint8]) -> dict[str, list[ExpressionScore]]:
    """Scores of the object with the most visible pixels over the whole video, and of one drawn at random.

    objects: (T, H, W) as in `Sample`. Random is the expected score, the mean over all objects: exact, and without chance.
    """
    sizes = np.bincount(objects.ravel())[1:]
    visible = np.flatnonzero(sizes) + 1
    expressions = len(sample.expressions)
    by_object = {int(number): score_masks(sample, ([frame == number] * expressions for frame in objects)) for number in visible}
    if not by_object:
        empty = score_masks(sample, ([frame != 0] * expressions for frame in objects))
        return {LARGEST: empty, RANDOM: empty}
    expected = [
        replace(scores[0], j=fmean(score.j for score in scores), f=fmean(score.f for score in scores), empty=False)
        for scores in zip(*by_object.values(), strict=True)
    ]
    return {LARGEST: by_object[int(sizes.argmax()) + 1], RANDOM: expected}


def shuffled_scores(dataset: Dataset, index: int, model: Model) -> list[ExpressionScore]:
    """Scores of a model's masks for video `index` with the sentences of another video; empty if there is no other video."""
    texts = shuffled_sentences(dataset, index)
    if texts is None:
        return []
    sample = dataset[index]
    reworded = [replace(expression, text=text) for expression, text in zip(sample.expressions, texts, strict=True)]
    return score_masks(sample, ModelMasks(model).masks(replace(sample, expressions=reworded)))


def shuffled_sentences(dataset: Dataset, index: int) -> list[str] | None:
    """For every expression of video `index` a sentence of the next video; None if there is no other video.

    The next video is that of the whole data set, so that a shard or a limit does not change the sentences.
    """
    if len(dataset) < 2:
        return None
    others = dataset[(index + 1) % len(dataset)].expressions
    return [others[i % len(others)].text for i in range(len(dataset[index].expressions))]
