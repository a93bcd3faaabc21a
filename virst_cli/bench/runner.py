"""Runs a model over a data set: all sentences of a video in one call, scored frame by frame as the masks come."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.baselines import SHUFFLED, object_rows, shuffled_sentences
from virst_cli.bench.course import Progress, choose, told
from virst_cli.bench.report import Report
from virst_cli.bench.samples import Dataset, Image
from virst_cli.bench.scores import Row, score, zeros
from virst_cli.errors import VideoError
from virst_cli.memory import peak_bytes

Answers = Iterator[NDArray[np.bool_]]  # per frame n, H, W


class Model(Protocol):
    """What is scored; `virst_cli.segmenter.Segmenter` is one."""

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Answers:
        """Masks (n, H, W) of n sentences for every frame (H, W, 3), in order."""
        ...


def run(
    dataset: Dataset,
    model: Model,
    *,
    name: str,
    progress: Callable[[Progress], None] | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores `model`, which the report calls `name`, on the first `limit` videos, or on part i of n of them.

    A video that lacks frames, or has a damaged one, scores 0 and is listed as missing. Where the data set knows the
    objects of its videos, the baselines run too; their time does not count.
    """
    chosen = choose(dataset, limit=limit, shard=shard)
    rows: list[Row] = []
    missing: list[str] = []
    baselines: dict[str, list[Row]] = defaultdict(list)
    clock = _Clock()
    for done, index in enumerate(chosen):
        sample = dataset[index]
        if sample.missing:
            missing.extend(sample.missing)
            rows.extend(zeros(sample))
            continue
        asked = [expression.text for expression in sample.expressions]
        try:
            answers = clock.timed(model, sample.frames, asked)
            rows.extend(score(sample, told(answers, progress, sample, done, len(chosen))))
        except VideoError as error:  # found while decoding: the rest of the data set is still worth scoring
            missing.append(f"{sample.video}: {error}")
            rows.extend(zeros(sample))
            continue
        if sample.objects is not None:
            for kind, found in object_rows(sample, sample.objects).items():
                baselines[kind].extend(found)
            shuffled = shuffled_sentences(dataset, index)
            if shuffled is not None:
                baselines[SHUFFLED].extend(score(sample, model.segment_frames(sample.frames, shuffled)))
    return Report(
        dataset=dataset.name,
        model=name,
        rows=rows,
        missing=missing,
        videos=len(chosen),
        fps=clock.frames / clock.seconds if clock.frames else None,
        peak_memory=peak_bytes(),
        baselines=dict(baselines),
    )


class _Clock:
    """Counts the frames of a model, and the time that it spends on them; scoring goes on in between."""

    def __init__(self) -> None:
        self.frames = 0
        self.seconds = 0.0

    def timed(self, model: Model, frames: Sequence[Image], sentences: Sequence[str]) -> Answers:
        """The model's answers. What it does before the first one counts too, the decoding of frames with it."""
        start = time.perf_counter()
        answers = model.segment_frames(frames, sentences)
        for masks in answers:
            self.seconds += time.perf_counter() - start
            self.frames += 1
            yield masks
            start = time.perf_counter()
        self.seconds += time.perf_counter() - start
