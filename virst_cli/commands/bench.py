"""virst bench: scores a model, or masks from elsewhere, on a data set."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virst_cli.commands.options import AsJson, Device, Dtype, Model, pair

if TYPE_CHECKING:
    from virst_cli.bench import Dataset
    from virst_cli.bench import Progress as Course

EPILOG = """\b
Examples:
  virst bench --dataset world --videos 4 --frames 12
  virst bench --dataset mevis --root ~/data --limit 10 --json
"""
MISSING = 1


def bench(
    dataset: Annotated[str, typer.Option("--dataset", metavar="NAME", help="world or mevis (its valid_u).")],
    root: Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Holds the data set; default $VIRST_DATA.")] = None,
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="DIR", help="Score the masks in here, not a model.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N videos.")] = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Only part I of N, from 1.")] = None,
    videos: Annotated[int, typer.Option("--videos", min=1, metavar="N", help="Of a world that is made on the fly.")] = 64,
    frames: Annotated[int, typer.Option("--frames", min=1, metavar="N", help="Of each of its videos.")] = 16,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="Of that world.")] = 0,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Score a model on a data set: J, F and J&F."""
    from rich.console import Console

    from virst_cli.bench import run, score_predictions
    from virst_cli.bench.table import tables
    from virst_cli.commands.progress import Progress

    opened = _open(dataset, root, videos=videos, frames=frames, seed=seed)
    part = (1, 1) if shard is None else pair(shard, "/", "--shard 1/4")
    with Progress(quiet=quiet) as progress:

        def tell(course: "Course") -> None:
            progress("frames", course.videos_done * course.frames + course.frame, course.videos * course.frames)

        if predictions is not None:
            report = score_predictions(opened, predictions, progress=tell, limit=limit, shard=part)
        else:
            from virst_cli.loading import load

            segmenter = load(model, device=device, dtype=dtype)
            report = run(opened, segmenter, name=segmenter.name, progress=tell, limit=limit, shard=part)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        console = Console(stderr=True)
        for table in tables(report):
            console.print(table)
    if report.missing:
        typer.echo(f"virst: error: {len(report.missing)} videos, expressions or frames are missing; they count as 0", err=True)
        raise typer.Exit(MISSING)


def _open(name: str, root: Path | None, *, videos: int, frames: int, seed: int) -> "Dataset":
    """The data set; a world comes from disk only where its folder was named, for $VIRST_DATA holds other sets."""
    from virst_cli.bench import open_dataset
    from virst_cli.bench.datasets.world import WorldSet

    if name == "world" and root is None:
        return WorldSet(videos=videos, frames=frames, seed=seed)
    stored = os.environ.get("VIRST_DATA")
    return open_dataset(name, Path(stored) if root is None and stored else root)
