"""virst batch: many videos with their sentences, one after the other or on a cluster."""

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virst_cli.commands.options import (
    Chunk,
    Device,
    Dtype,
    Engine,
    EngineName,
    Faithful,
    Formats,
    MaxMemory,
    Model,
    RayAddress,
)
from virst_cli.commands.summary import SCHEMA_VERSION, summary

if TYPE_CHECKING:
    from virst_cli.batch import Outcome

EPILOG = """\b
JOBS is a csv file whose first line names the columns video and text, or a jsonl file of objects that
have both. Lines of one video share its work. Paths are relative to the folder of JOBS.

\b
A run is written to <video>.virst. Videos of one name have the name of their folder in front, and if
that is not enough a number behind: a/clip.mp4 and b/clip.mp4 become a-clip.virst and b-clip.virst.

\b
Nothing found is no failure. The exit code is 1 if any video failed.

\b
Examples:
  virst batch jobs.csv
  virst batch jobs.jsonl -o out -f png --json
"""
FAILED = 1
WIDE = 10_000  # columns, where nobody looks: a file takes lines of any length


def batch(
    jobs: Annotated[Path, typer.Argument(metavar="JOBS", help="Which sentences to ask of which videos; see below.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the folders <video>.virst are made.")
    ] = Path(),
    formats: Formats = ["overlay"],  # noqa: B006  Typer copies it
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    chunk: Chunk = None,
    faithful: Faithful = False,
    max_memory: MaxMemory = None,
    resume: Annotated[bool, typer.Option("--resume/--overwrite", help="Go on with what is done, or do every video anew.")] = True,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first video that fails.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A video that breaks off has failed.")] = False,
    engine: Engine = EngineName.local,
    ray_address: RayAddress = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, metavar="N", help="Of the cluster, at most; default one a GPU, or one a machine."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a video on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, and the table only if a video failed.")] = False,
) -> None:
    """Segment many videos; go on where an earlier batch stopped."""
    from virst_cli import batch as batches
    from virst_cli.commands.batch_progress import BatchProgress
    from virst_cli.commands.model_note import say_model
    from virst_cli.engines import open_engine

    where = open_engine(engine.value, device=device, ray_address=ray_address, workers=workers)
    settings = batches.Settings(
        output=output, formats=formats, model=model, dtype=dtype, chunk=chunk, faithful=faithful, max_memory=max_memory,
        overwrite=not resume, strict=strict,
    )  # fmt: skip
    asked = batches.plan_batch(jobs, settings)
    if not quiet:
        say_model(model, asked.unknown_words)
    done: list[Outcome] = []
    with BatchProgress(len(asked.tasks), quiet=quiet) as course, closing(batches.run_batch(asked, where, course.at)) as outcomes:
        for outcome in outcomes:
            done.append(outcome)
            course.finished(outcome)
            if os.environ.get("VIRST_DEBUG") == "1" and outcome.trace is not None:
                course.echo(outcome.trace, err=True)
            for line in _lines(outcome, as_json=as_json):
                course.echo(line)
            if fail_fast and outcome.error is not None:
                break
    failed = sum(outcome.error is not None for outcome in done)
    if failed or not quiet:
        _print_table(done)
    if failed:
        left = len(asked.tasks) - len(done)
        rest = f", and {left} were not finished (--fail-fast)" if left else ""
        typer.echo(f"virst: error: {failed} of {len(asked.tasks)} videos failed{rest}", err=True)
        raise typer.Exit(FAILED)


def _lines(outcome: "Outcome", *, as_json: bool) -> list[str]:
    """What is there now: a line of JSON, or the files."""
    if not as_json:
        return [str(path) for path in outcome.files]
    task = outcome.task
    if outcome.run is not None:
        said = summary(task.folder, outcome.run, outcome.files, warning=outcome.warning)
    else:
        said = {
            "schema_version": SCHEMA_VERSION,
            "run": str(task.folder),
            "video": {"path": str(task.video)},
            "frames": 0,
            "found": False,
            "sentences": [{"text": text, "found": False} for text in task.sentences],
            "files": [],
        }
    return [json.dumps({**said, "error": outcome.error}, ensure_ascii=False)]


def _print_table(done: "list[Outcome]") -> None:
    """What became of all videos, on stderr; a row is a line unless a terminal is too narrow for that."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    table.add_column("video", overflow="fold")
    for heading in ("sentences", "found", "frames", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("error", overflow="fold")
    for outcome in done:
        numbers = (len(outcome.found), sum(outcome.found), outcome.frames, f"{outcome.seconds:.1f}")
        table.add_row(*(Text(str(cell)) for cell in (outcome.task.shown, *numbers, outcome.error or "")))
    terminal = sys.stderr.isatty()
    Console(stderr=True, width=None if terminal else WIDE).print(table)
