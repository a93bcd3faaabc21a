"""virst bench: scores a model, or masks from elsewhere, on a data set."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from virst_cli.commands.option_values import parse_pair
from virst_cli.commands.options import AsJson, Device, Dtype, Engine, EngineName, MaxMemory, Model, RayAddress, data_root

if TYPE_CHECKING:
    from virst_cli.bench import BenchProgress as Course
    from virst_cli.bench import Dataset, Report
    from virst_cli.segmenter.segmenter import Segmenter

EPILOG = """\b
Data sets: mevis (split valid_u), mevis-test (split valid; server), ref-youtube-vos (server),
ref-davis17, revos, reason-vos, and world, the synthetic one.

\b
Frames are resized as in the published code, and a video has one set of anchors however long it is.
--fast does as `virst segment` does; so do virst-nano and the world, which are made for that.

\b
Examples:
  virst bench --dataset world --videos 4 --frames 12
  virst bench --dataset mevis --root ~/data --limit 10 --json
"""
FAILED = 1
WORLD = "world"
DEFAULT_OUTPUT = Path("virst-bench")  # where masks are kept unless --output says otherwise


def bench(
    dataset: Annotated[str, typer.Option("--dataset", metavar="NAME", help="What to score on; see below.")],
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Holds mevis/, davis17/ ..., or is the set's own; default $VIRST_DATA."),
    ] = None,
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_memory: MaxMemory = None,
    fast: Annotated[bool, typer.Option("--fast", help="Not just as the published code: a frame is encoded once.")] = False,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="DIR", help="Score the masks in here, not a model.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Keep masks in here; default virst-bench/NAME-MODEL, but for a world."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Go on from the masks that are there, or replace them.")
    ] = True,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N videos.")] = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Only part I of N, from 1.")] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page with scores and examples.")
    ] = None,
    submission: Annotated[
        Path | None, typer.Option("--submission", metavar="FILE.zip", help="Write what the data set's server takes.")
    ] = None,
    videos: Annotated[int, typer.Option("--videos", min=1, metavar="N", help="Of a world that is made on the fly.")] = 64,
    frames: Annotated[int, typer.Option("--frames", min=1, metavar="N", help="Of each of its videos.")] = 16,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="Of that world.")] = 0,
    engine: Engine = EngineName.local,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Score a model on a data set: J, F and J&F."""
    from virst_cli.bench import open_store, run_benchmark, score_predictions, write_submission
    from virst_cli.bench.distribute import StoreWorker, fill
    from virst_cli.bench.page import write_page
    from virst_cli.bench.page_examples import Examples
    from virst_cli.commands.progress import Progress
    from virst_cli.engines import open_engine

    if engine is not EngineName.local and predictions is not None:
        raise typer.BadParameter("--predictions are scored here; leave out --engine")
    where = None if engine is EngineName.local else open_engine(engine.value, device=device, ray_address=ray_address)
    opened = _open(dataset, root, videos=videos, frames=frames, seed=seed)
    part = (1, 1) if shard is None else parse_pair(shard, "/", "--shard 1/4")
    if predictions is not None and output is not None:
        raise typer.BadParameter("--predictions scores masks that are there, so nothing goes into --output; leave it out")
    if submission is not None and (limit is not None or part != (1, 1)):
        raise typer.BadParameter("a --submission holds the whole data set; leave out --limit and --shard")
    _check(opened, submission, report_file)
    examples = None if report_file is None else Examples()
    written: list[Path] = []
    with Progress(quiet=quiet) as progress:

        def tell(course: "Course") -> None:
            progress("frames", course.videos_done * course.frames + course.frame, course.videos * course.frames)

        if predictions is not None:
            masks: Path | None = predictions
            report = score_predictions(opened, predictions, watcher=examples, progress=tell, limit=limit, shard=part)
        else:
            open_model = partial(_segmenter, dataset=dataset, model=model, dtype=dtype, max_memory=max_memory, fast=fast)
            segmenter = open_model(device)  # reads no weights before it is asked
            masks = output or _folder(dataset, root, segmenter, always=where is not None)
            if masks is not None:
                maker = _maker(segmenter, segmenter.parts.device.type if where is None else f"{device} of {engine.value}")
                written.append(open_store(masks, opened, maker, resume=resume))
            fps = None
            if where is not None and masks is not None:
                filler = StoreWorker(opened, open_model, masks)
                fps = fill(filler, where, progress=partial(progress, "videos"), limit=limit, shard=part)
            report = run_benchmark(
                opened, segmenter, name=segmenter.name, store=masks, watcher=examples, progress=tell, limit=limit, shard=part
            )
            report = report if fps is None else replace(report, fps=fps)
    if submission is not None and masks is not None and not report.missing:
        write_submission(opened, masks, submission)
        written.append(submission)
    if report_file is not None and examples is not None:
        write_page(report, report_file, examples.chosen())
        written.append(report_file)
    _print(report, written, as_json=as_json)
    if report.missing:
        without = "" if submission is None else f", and {submission} was not written"
        count = len(report.missing)
        typer.echo(f"virst: error: {count} videos, expressions or frames are missing; they count as 0{without}", err=True)
        raise typer.Exit(FAILED)


def _check(dataset: "Dataset", submission: Path | None, report_file: Path | None) -> None:
    """Raises an error for files that can't be written, before hours of work."""
    from virst_cli.bench import check_submission
    from virst_cli.bench.page import check_page

    if submission is not None:
        check_submission(dataset, submission)
    if report_file is not None:
        check_page(report_file)


def _print(report: "Report", written: list[Path], *, as_json: bool) -> None:
    """The result: as JSON, or as tables and, on stdout, the files."""
    from rich.console import Console

    from virst_cli.bench.table import tables

    if as_json:
        typer.echo(json.dumps({**report.as_dict(), "files": [str(path) for path in written]}, ensure_ascii=False))
        return
    console = Console(stderr=True)
    for table in tables(report):
        console.print(table)
    for path in written:
        typer.echo(path)


def _open(name: str, root: Path | None, *, videos: int, frames: int, seed: int) -> "Dataset":
    """The data set; a world comes from disk only where its folder was named, for $VIRST_DATA holds other sets."""
    from virst_cli.bench import open_dataset
    from virst_cli.bench.datasets.world import WorldSet

    if name == WORLD and root is None:
        return WorldSet(videos=videos, frames=frames, seed=seed)
    return open_dataset(name, data_root(root))


def _segmenter(device: str, *, dataset: str, model: str | None, dtype: str, max_memory: int | None, fast: bool) -> "Segmenter":
    """The model, which works as the published code does where that is what its figures are compared with."""
    from virst_cli.checkpoints.registry import EMBEDDED
    from virst_cli.segmenter.load import load

    segmenter = load(model, device=device, dtype=dtype, max_memory=max_memory)
    if not fast and dataset != WORLD and segmenter.name != EMBEDDED:
        segmenter.faithful = True
        segmenter.chunk = 2**31  # frames: a video is one chunk
    return segmenter


def _folder(dataset: str, root: Path | None, segmenter: "Segmenter", *, always: bool) -> Path | None:
    """Where masks are kept by default; those of a world that is made on the fly are not, unless they have to be."""
    from virst_cli.outputs.names import slug

    return None if dataset == WORLD and root is None and not always else DEFAULT_OUTPUT / f"{dataset}-{slug(segmenter.name)}"


def _maker(segmenter: "Segmenter", device: str) -> dict[str, Any]:
    """What decides about the masks besides the data set."""
    from virst_cli.checkpoints.manifest import weight_sums

    parts = segmenter.parts
    settings = {
        "device": device,
        "dtype": str(parts.dtype).removeprefix("torch."),
        "chunk": segmenter.chunk,
        "faithful": segmenter.faithful,
    }
    return {"model": {"name": segmenter.name, "sha256": weight_sums(parts.folder.path)}, "settings": settings}
