"""virst bench: scores a model, or a folder of masks, on a data set."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from virst_cli.commands.json_output import json_line
from virst_cli.commands.option_values import parse_pair
from virst_cli.commands.options import AsJson, Device, Dtype, Engine, EngineName, MaxMemory, Model, RayAddress, data_root

if TYPE_CHECKING:
    from virst_cli.bench import BenchProgress, Dataset, Report
    from virst_cli.commands.progress import Progress

EPILOG = """\b
Data sets: mevis (split valid_u), mevis-test (split valid; scored by its server), ref-youtube-vos
(scored by its server), ref-davis17, revos, reason-vos, and world, the synthetic one.

\b
Models are run as in the published code: frames are resized in the same way, and a video has one set
of anchors however long it is. --fast runs them as `virst segment` does. virst-nano, and any model on
the world, always run that way.

\b
Examples:
  virst bench --dataset world --videos 4 --frames 12
  virst bench --dataset mevis --root ~/data --limit 10 --json
"""
FAILED = 1
WORLD = "world"


def bench(
    dataset: Annotated[str, typer.Option("--dataset", metavar="NAME", help="Data set to score on; the names are below.")],
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", metavar="DIR", help="Folder that holds mevis/, davis17/ ..., or one of these; default $VIRST_DATA."
        ),
    ] = None,
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_memory: MaxMemory = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Run the model as `virst segment` does, not as the published code.")
    ] = False,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="DIR", help="Score the masks in this folder instead of a model's.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for the masks; default virst-bench/DATASET-MODEL, or none for a generated world.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Use the masks that are already there, or replace them.")
    ] = True,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Score only the first N videos.")] = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Score only part I of N of the videos.")] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a web page with scores and examples.")
    ] = None,
    submission: Annotated[
        Path | None, typer.Option("--submission", metavar="FILE.zip", help="Write a zip file for the data set's server.")
    ] = None,
    videos: Annotated[int, typer.Option("--videos", min=1, metavar="N", help="Number of videos in a generated world.")] = 64,
    frames: Annotated[int, typer.Option("--frames", min=1, metavar="N", help="Frames of each video in a generated world.")] = 16,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="Random seed of a generated world.")] = 0,
    engine: Engine = EngineName.local,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Score a model on a data set: J, F and J&F."""
    from virst_cli.bench import (
        BenchModel,
        WorldSet,
        check_submission,
        open_dataset,
        score_model,
        score_predictions,
        write_submission,
    )
    from virst_cli.bench.page import check_page, write_page
    from virst_cli.bench.page_examples import Examples
    from virst_cli.bench.score_model import default_store
    from virst_cli.commands.progress import Progress
    from virst_cli.engines import open_engine

    local = engine is EngineName.local
    if not local and predictions is not None:
        raise typer.BadParameter("--predictions are scored on this machine; leave out --engine")
    cluster = None if local else open_engine(engine.value, device=device, ray_address=ray_address)
    if dataset == WORLD and root is None:  # even with $VIRST_DATA, which holds the other data sets
        opened: Dataset = WorldSet(videos=videos, frames=frames, seed=seed)
    else:
        folder = data_root(root)
        opened = open_dataset(dataset, folder if folder is None or local else folder.absolute())  # workers start in other folders
    part = (1, 1) if shard is None else parse_pair(shard, "/", "--shard 1/4")
    if predictions is not None and output is not None:
        raise typer.BadParameter("--predictions scores existing masks and writes none; leave out --output")
    if submission is not None and (limit is not None or part != (1, 1)):
        raise typer.BadParameter("a --submission needs the whole data set; leave out --limit and --shard")
    if submission is not None:
        check_submission(opened, submission)
    if report_file is not None:
        check_page(report_file)
    examples = None if report_file is None else Examples()
    written: list[Path] = []
    with Progress(quiet=quiet) as progress:
        options: dict[str, Any] = {"observer": examples, "progress": partial(_show, progress), "limit": limit, "shard": part}
        if predictions is not None:
            masks: Path | None = predictions
            report = score_predictions(opened, predictions, **options)
        else:
            chosen = BenchModel(model, dtype=dtype, max_memory=max_memory, as_published=not fast and dataset != WORLD)
            masks = output or default_store(opened, chosen, local=local)
            written += [masks] if masks is not None else []
            report = score_model(
                opened,
                chosen,
                masks,
                device=device,
                engine=cluster,
                resume=resume,
                on_videos=partial(progress, "videos"),
                **options,
            )
    if submission is not None and masks is not None and not report.missing:
        write_submission(opened, masks, submission)
        written.append(submission)
    if report_file is not None and examples is not None:
        write_page(report, report_file, examples.chosen())
        written.append(report_file)
    _print(report, written, as_json=as_json)
    if report.missing:
        not_written = "" if submission is None else f", and {submission} was not written"
        count = len(report.missing)
        typer.echo(f"virst: error: {count} videos, expressions or frames are missing; they count as 0{not_written}", err=True)
        raise typer.Exit(FAILED)


def _show(bar: "Progress", progress: "BenchProgress") -> None:
    """Shows how many frames of all videos are scored, as if all videos were as long as this one."""
    bar("frames", progress.videos_done * progress.frames + progress.frame, progress.videos * progress.frames)


def _print(report: "Report", written: list[Path], *, as_json: bool) -> None:
    """Prints the result: as JSON, or as tables on stderr and the written files on stdout."""
    from rich.console import Console

    from virst_cli.bench.text_tables import text_tables

    if as_json:
        typer.echo(json_line({**report.as_dict(), "files": [str(path) for path in written]}))
        return
    console = Console(stderr=True)
    for table in text_tables(report):
        console.print(table)
    for path in written:
        typer.echo(path)
