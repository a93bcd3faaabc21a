"""A benchmark run: a data set and a source of masks in, a report out; videos pass frame by frame, and no masks are held."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from virst_cli.bench.annotators import FourAnnotators
from virst_cli.bench.baselines import SHUFFLED, object_baselines, shuffled_scores
from virst_cli.bench.mask_sources import FrameMasks, MaskSource, Model, ModelMasks, of_one_size
from virst_cli.bench.mask_store import CachedMasks
from virst_cli.bench.predictions import Predictions
from virst_cli.bench.report import Report
from virst_cli.bench.samples import Dataset, Hidden, Sample
from virst_cli.bench.scores import ExpressionScore, score_masks
from virst_cli.bench.selection import BenchProgress, select_videos, with_progress
from virst_cli.machine.memory import peak_bytes

OnBenchProgress = Callable[[BenchProgress], None]


class MaskObserver(Protocol):
    """Sees all masks of a run as they pass, such as `page_examples.Examples`."""

    def observe(self, sample: Sample, masks_by_frame: Iterable[FrameMasks]) -> Iterator[FrameMasks]:
        """Gives the same masks, frame by frame."""
        ...

    def finish_video(self, sample: Sample, scores: Sequence[ExpressionScore]) -> None:
        """Gets the scores of the video whose masks have passed."""
        ...


def run_benchmark(
    dataset: Dataset,
    model: Model,
    *,
    name: str,
    store: Path | None = None,
    observer: MaskObserver | None = None,
    progress: OnBenchProgress | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores a model on a data set.

    name: what the report calls the model.
    store: a folder from `open_store`; masks in it are used instead of the model, and all others are stored there.
    observer: sees all masks.
    progress: called after every frame.
    limit: only so many videos, the first ones.
    shard: part i of n of the videos, as (i, n).

    A video that lacks frames, or has a damaged one, scores 0 and is listed as missing. Where the data set knows the objects of
    its videos, the baselines run too; their time does not count.
    """
    answers = ModelMasks(model)
    report = score_videos(
        dataset,
        answers if store is None else CachedMasks(answers, store),
        select_videos(dataset, limit=limit, shard=shard),
        observer=observer,
        progress=progress,
        shuffled=lambda index: shuffled_scores(dataset, index, model),
    )
    return replace(report, model=name, fps=answers.frames / answers.seconds if answers.frames else None)


def score_predictions(
    dataset: Dataset,
    folder: Path,
    *,
    observer: MaskObserver | None = None,
    progress: OnBenchProgress | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores the masks in `folder`; the other parameters are those of `run_benchmark`. Missing masks count as 0 and are listed.

    Raises `UsageError` if the folder does not exist.
    """
    predictions = Predictions(folder)
    chosen = select_videos(dataset, limit=limit, shard=shard)
    report = score_videos(dataset, predictions, chosen, observer=observer, progress=progress)
    if len(chosen) == len(dataset):
        predictions.list_unknown_entries()
    return report


def score_videos(
    dataset: Dataset,
    source: MaskSource,
    chosen: Sequence[int],
    *,
    observer: MaskObserver | None = None,
    progress: OnBenchProgress | None = None,
    shuffled: Callable[[int], Sequence[ExpressionScore]] | None = None,
) -> Report:
    """Scores the masks of a source on some videos of a data set.

    chosen: the numbers of the videos.
    observer, progress: as in `run_benchmark`.
    shuffled: gives the scores of shuffled sentences of a video, by its number; None for no baselines at all.
    """
    scorer = _Scorer(source, observer, progress)
    baselines: dict[str, list[ExpressionScore]] = defaultdict(list)
    for done, index in enumerate(chosen):
        sample = dataset[index]
        scorer.add(sample, done, len(chosen))
        if shuffled is not None and sample.objects is not None:
            for name, scores in object_baselines(sample, sample.objects).items():
                baselines[name].extend(scores)
            if scores_of_shuffled := shuffled(index):
                baselines[SHUFFLED].extend(scores_of_shuffled)
    return replace(scorer.report(dataset.name, len(chosen)), baselines=dict(baselines))


class _Scorer:
    """Takes the masks of one video after another, and collects their scores."""

    def __init__(self, source: MaskSource, observer: MaskObserver | None, progress: OnBenchProgress | None) -> None:
        self._source, self._observer, self._progress = source, observer, progress
        self._scores: list[ExpressionScore] = []
        self._standard: list[ExpressionScore] = []
        self._missing: list[str] = []  # besides those that the source lists
        self._hidden = 0

    def add(self, sample: Sample, done: int, videos: int) -> None:
        """Scores a video, after `done` of `videos` have been scored."""
        with closing(self._source.masks(sample)) as from_source:  # type: ignore[type-var]  # a generator, which may hold a lock
            masks = of_one_size(sample, with_progress(from_source, self._progress, sample, done, videos), self._missing)
            annotators = None if sample.labels is None else FourAnnotators(sample, sample.labels)
            if self._observer is not None:
                masks = self._observer.observe(sample, masks)
            if annotators is not None:
                masks = annotators.observe(masks)
            scores = score_masks(sample, masks)
        self._scores.extend(scores)
        if self._observer is not None:
            self._observer.finish_video(sample, scores)
        if annotators is not None:
            self._standard.extend(annotators.scores())
        self._hidden += sum(isinstance(expression.truth, Hidden) for expression in sample.expressions)

    def report(self, dataset: str, videos: int) -> Report:
        """The report on all videos that were added."""
        return Report(
            dataset=dataset,
            model=None,
            expression_scores=self._scores,
            missing=[*self._source.missing, *self._missing],
            videos=videos,
            fps=None,
            peak_memory=peak_bytes(),
            hidden=self._hidden,
            extra=self._source.extra,
            standard=self._standard,
        )
