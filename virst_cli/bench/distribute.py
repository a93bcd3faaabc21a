"""A benchmark run on an engine: workers fill the mask store, and this process scores what the store then holds.

So a run on a cluster is scored by the same code as any other, continues where it was stopped, and gives the same masks. Only the
workers open the model, each on its own device; this process may have no such device. All of them see the same folders.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from virst_cli.bench.baselines import shuffled_scores
from virst_cli.bench.bench_model import OpenedModel
from virst_cli.bench.mask_sources import FrameMasks, ModelMasks
from virst_cli.bench.mask_store import CachedMasks, open_store, prepare_store, read_run
from virst_cli.bench.report import Report
from virst_cli.bench.runner import MaskObserver, OnBenchProgress, score_videos
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.bench.scores import ExpressionScore
from virst_cli.bench.selection import select_videos
from virst_cli.engines import Engine
from virst_cli.errors import VirstError
from virst_cli.files.shown import shown
from virst_cli.stages import OnProgress


@dataclass(frozen=True)
class VideoResult:
    """What a worker returns for a video; its masks are in the store.

    frames: how many frames the model has segmented; 0 if all masks were in the store already.
    seconds: how long that took.
    missing: frames of the video that are missing or damaged, as in `MaskSource`.
    shuffled: the scores of shuffled sentences, where the data set knows the objects of its videos.
    """

    frames: int
    seconds: float
    missing: tuple[str, ...]
    shuffled: tuple[ExpressionScore, ...]


@dataclass(frozen=True)
class StoreWorker:
    """Makes a worker, which opens a model of its own and stores the masks of videos. It can be pickled.

    dataset: whose videos are segmented.
    open_model: opens the model on a device, given by its name.
    store: the folder for the masks, as an absolute path.
    """

    dataset: Dataset
    open_model: Callable[[str], OpenedModel]
    store: Path

    def __call__(self, device: str) -> Callable[[int, OnProgress], VideoResult]:
        """Opens the model and the store, and returns the work on a video, which takes its number.

        Raises `OutputError` if the store holds masks that this worker would not make, because of another GPU for example.
        """
        opened = self.open_model(device)
        open_store(self.store, self.dataset, opened.made_by)

        def work(index: int, on_progress: OnProgress) -> VideoResult:
            sample, answers = self.dataset[index], ModelMasks(opened.model)
            with closing(CachedMasks(answers, self.store).masks(sample)) as masks:  # type: ignore[type-var]  # a generator
                for frame, _ in enumerate(masks, start=1):
                    on_progress("frames", frame, len(sample.frame_names))
            shuffled = [] if sample.objects is None else shuffled_scores(self.dataset, index, opened.model)
            return VideoResult(answers.frames, answers.seconds, tuple(answers.missing), tuple(shuffled))

        return work


def run_on_engine(
    dataset: Dataset,
    open_model: Callable[[str], OpenedModel],
    engine: Engine,
    store: Path,
    *,
    resume: bool = True,
    on_videos: Callable[[int, int], None] = lambda done, total: None,
    observer: MaskObserver | None = None,
    progress: OnBenchProgress | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores a model whose masks the workers of an engine make.

    open_model: opens the model on a device, given by its name; called in workers only, and can be pickled.
    store: the folder for the masks; it is made if it is not there.
    resume: keep the masks that are there; otherwise they are deleted.
    on_videos: called with how many videos of how many the workers have finished.
    observer, progress, limit, shard: as in `run_benchmark`.

    Raises `OutputError` as `open_store` does, and the `VirstError` of a video over which workers died, once all others are done.
    """
    chosen = select_videos(dataset, limit=limit, shard=shard)
    prepare_store(store, dataset, resume=resume)
    results: dict[int, VideoResult] = {}
    lost: list[VirstError] = []
    worker = StoreWorker(dataset, open_model, store.absolute())
    with closing(engine.map(worker, list(chosen), lambda *progress: None)) as finished:
        for done, (position, result) in enumerate(finished, start=1):
            index = chosen[position]
            if isinstance(result, VirstError):
                lost.append(VirstError(f"{dataset[index].video}: {result}"))
            else:
                results[index] = result
            on_videos(done, len(chosen))
    if lost:
        raise lost[0]
    missing = {dataset[index].video: result.missing for index, result in results.items() if result.missing}
    report = score_videos(
        dataset,
        CachedMasks(_NoMasks(missing, store), store),
        chosen,
        observer=observer,
        progress=progress,
        shuffled=lambda index: results[index].shuffled,
    )
    frames, seconds = (sum(getattr(result, name) for result in results.values()) for name in ("frames", "seconds"))
    return replace(report, model=read_run(store)["model"]["name"], fps=frames / seconds if frames else None)


class _NoMasks:
    """Stands in for the workers' model where the store lacks masks: it has none, and lists what the workers found missing."""

    def __init__(self, reported: Mapping[str, tuple[str, ...]], store: Path) -> None:
        self.missing: list[str] = []
        self.extra: list[str] = []
        self._reported, self._store = reported, store

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `MaskSource`."""
        unseen = f"{sample.video}: its masks are not in {shown(self._store)}; do all machines see the same folder?"
        self.missing.extend(self._reported.get(sample.video, (unseen,)))
        for _ in sample.frame_names:
            yield [None] * len(sample.expressions)
