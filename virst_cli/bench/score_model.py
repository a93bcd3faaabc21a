"""Scores a chosen model on a data set, in this process or on the workers of an engine."""

from collections.abc import Callable
from pathlib import Path

from virst_cli.bench.bench_model import BenchModel
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.distribute import run_on_engine
from virst_cli.bench.mask_store import open_store
from virst_cli.bench.report import Report
from virst_cli.bench.runner import MaskObserver, OnBenchProgress, run_benchmark
from virst_cli.bench.samples import Dataset
from virst_cli.engines import Engine
from virst_cli.outputs.names import slug

DEFAULT_OUTPUT = Path("virst-bench")  # holds the mask stores for which no folder was named


def default_store(dataset: Dataset, model: BenchModel, *, local: bool) -> Path | None:
    """The folder for the masks of a model on a data set, where no other is named.

    local: the model runs in this process; the masks of a generated world are then not stored (None).
    """
    if local and isinstance(dataset, WorldSet):
        return None
    return DEFAULT_OUTPUT / f"{dataset.name}-{slug(model.name)}"


def score_model(
    dataset: Dataset,
    model: BenchModel,
    store: Path | None,
    *,
    device: str = "auto",
    engine: Engine | None = None,
    resume: bool = True,
    on_videos: Callable[[int, int], None] = lambda done, total: None,
    observer: MaskObserver | None = None,
    progress: OnBenchProgress | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Opens the model, makes or continues its mask store, and scores the masks.

    store: the folder for the masks; None to store none, which an engine does not allow.
    device: where the model runs, as `--device` takes it, unless there is an engine.
    engine: does the work in workers of its own; None for this process.
    resume: use the masks that are in the store; otherwise they are deleted.
    on_videos: called with how many videos of how many the engine's workers have finished.
    observer, progress, limit, shard: as in `run_benchmark`.
    """
    if engine is None:
        opened = model.open(device)
        if store is not None:
            open_store(store, dataset, opened.made_by, resume=resume)
        return run_benchmark(
            dataset, opened.model, name=opened.name, store=store, observer=observer, progress=progress, limit=limit, shard=shard
        )
    if store is None:
        raise ValueError("workers need a store for their masks")
    return run_on_engine(
        dataset, model.for_workers().open, engine, store, resume=resume, on_videos=on_videos, observer=observer,
        progress=progress, limit=limit, shard=shard,
    )  # fmt: skip
