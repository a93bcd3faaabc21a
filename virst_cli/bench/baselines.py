"""What one gets without understanding the sentence; a model that does not beat these has not read it.

They are computed in the same run on the same sentences. Largest and random object are told the true masks of all
objects, so they are strong where few objects are about; a shuffled sentence shows what the model does when its words
say nothing about the video.
"""

from dataclasses import replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.samples import Dataset, Sample
from virst_cli.bench.scores import ExpressionScore, score

LARGEST, RANDOM, SHUFFLED = "largest_object", "random_object", "shuffled_sentence"


def object_rows(sample: Sample, objects: NDArray[np.uint8]) -> dict[str, list[ExpressionScore]]:
    """Rows for the object with the most visible pixels over the whole video, and for one drawn at random.

    `objects` (T, H, W) as in `Sample`. Random is the expected score, the mean over all objects: exact, without luck.
    """
    sizes = np.bincount(objects.ravel())[1:]
    numbers = np.flatnonzero(sizes) + 1
    wanted = len(sample.expressions)
    tried = {
        int(number): score(sample, ([frame == number] * wanted for frame in objects)) for number in numbers
    }  # the visible ones only
    if not tried:
        nobody = score(sample, ([frame != 0] * wanted for frame in objects))
        return {LARGEST: nobody, RANDOM: nobody}
    expected = [
        replace(rows[0], j=fmean(row.j for row in rows), f=fmean(row.f for row in rows), empty=False)
        for rows in zip(*tried.values(), strict=True)
    ]
    return {LARGEST: tried[int(sizes.argmax()) + 1], RANDOM: expected}


def shuffled_sentences(dataset: Dataset, index: int) -> list[str] | None:
    """For every expression of video `index` a sentence of the next video; None if there is no other.

    The next one of the whole data set, so that a shard or a limit does not change what is asked.
    """
    if len(dataset) < 2:
        return None
    given = dataset[(index + 1) % len(dataset)].expressions
    return [given[i % len(given)].text for i in range(len(dataset[index].expressions))]
