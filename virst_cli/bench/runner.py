"""A data set and a source of masks in, a report out: video by video, frame by frame, nothing is held."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from virst_cli.bench.annotators import FourAnnotators
from virst_cli.bench.baselines import SHUFFLED, object_rows, shuffled_sentences
from virst_cli.bench.mask_sources import FrameMasks, MaskSource, Model, ModelMasks, of_one_size
from virst_cli.bench.mask_store import CachedMasks
from virst_cli.bench.predictions import Predictions
from virst_cli.bench.report import Report
from virst_cli.bench.samples import Dataset, Hidden, Sample
from virst_cli.bench.scores import ExpressionScore, score
from virst_cli.bench.selection import BenchProgress, select_videos, with_progress
from virst_cli.machine.memory import peak_bytes

OnBenchProgress = Callable[[BenchProgress], None]


class Watcher(Protocol):
    """Sees all masks go by, such as `page_examples.Examples`."""

    def watching(self, sample: Sample, answers: Iterable[FrameMasks]) -> Iterator[FrameMasks]:
        """The same masks, frame by frame."""
        ...

    def settle(self, sample: Sample, rows: Sequence[ExpressionScore]) -> None:
        """What the masks of the video that has gone by were worth."""
        ...


def run_benchmark(
    dataset: Dataset,
    model: Model,
    *,
    name: str,
    store: Path | None = None,
    watcher: Watcher | None = None,
    progress: OnBenchProgress | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores `model`, which the report calls `name`, on the first `limit` videos, or on part i of n of them.

    store: the folder of `open_store`; masks that are there are not asked for again, and all others are kept there. A
    video that lacks frames, or has a damaged one, scores 0 and is listed as missing. Where the data set knows the objects
    of its videos, the baselines run too; their time does not count.
    """
    asked = ModelMasks(model)
    rows = _Rows(asked if store is None else CachedMasks(asked, store), watcher, progress)
    chosen = select_videos(dataset, limit=limit, shard=shard)
    baselines: dict[str, list[ExpressionScore]] = defaultdict(list)
    for done, index in enumerate(chosen):
        sample = dataset[index]
        rows.add(sample, done, len(chosen))
        if sample.objects is not None:
            for kind, found in object_rows(sample, sample.objects).items():
                baselines[kind].extend(found)
            shuffled = shuffled_sentences(dataset, index)
            if shuffled is not None:
                given = [replace(said, text=text) for said, text in zip(sample.expressions, shuffled, strict=True)]
                baselines[SHUFFLED].extend(score(sample, ModelMasks(model).masks(replace(sample, expressions=given))))
    return replace(
        rows.report(dataset.name, len(chosen)),
        model=name,
        fps=asked.frames / asked.seconds if asked.frames else None,
        baselines=dict(baselines),
    )


def score_predictions(
    dataset: Dataset,
    folder: Path,
    *,
    watcher: Watcher | None = None,
    progress: OnBenchProgress | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores the masks below `folder`; the videos are chosen as in `run`. What is missing counts as 0 and is listed.

    Raises `UsageError` if there is no such folder.
    """
    predictions = Predictions(folder)
    rows = _Rows(predictions, watcher, progress)
    chosen = select_videos(dataset, limit=limit, shard=shard)
    for done, index in enumerate(chosen):
        rows.add(dataset[index], done, len(chosen))
    if len(chosen) == len(dataset):
        predictions.note_strangers()
    return rows.report(dataset.name, len(chosen))


class _Rows:
    """Takes the masks of one video after the other, and turns them into rows."""

    def __init__(self, source: MaskSource, watcher: Watcher | None, progress: OnBenchProgress | None) -> None:
        self._source, self._watcher, self._progress = source, watcher, progress
        self._rows: list[ExpressionScore] = []
        self._standard: list[ExpressionScore] = []
        self._missing: list[str] = []  # beyond what the source itself misses
        self._hidden = 0

    def add(self, sample: Sample, done: int, videos: int) -> None:
        """Scores a video; `done`: how many of `videos` are."""
        with closing(self._source.masks(sample)) as given:  # type: ignore[type-var]  # a generator, which may hold a lock
            masks = of_one_size(sample, with_progress(given, self._progress, sample, done, videos), self._missing)
            annotators = None if sample.labels is None else FourAnnotators(sample, sample.labels)
            if self._watcher is not None:
                masks = self._watcher.watching(sample, masks)
            if annotators is not None:
                masks = annotators.watching(masks)
            rows = score(sample, masks)
        self._rows.extend(rows)
        if self._watcher is not None:
            self._watcher.settle(sample, rows)
        if annotators is not None:
            self._standard.extend(annotators.rows())
        self._hidden += sum(isinstance(expression.truth, Hidden) for expression in sample.expressions)

    def report(self, dataset: str, videos: int) -> Report:
        """Of everything that was added."""
        return Report(
            dataset=dataset,
            model=None,
            rows=self._rows,
            missing=[*self._source.missing, *self._missing],
            videos=videos,
            fps=None,
            peak_memory=peak_bytes(),
            hidden=self._hidden,
            extra=self._source.extra,
            standard=self._standard,
        )
