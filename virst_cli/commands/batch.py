"""virst batch: segments many videos, one after another on this machine or on a Ray cluster."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virst_cli.commands.json_output import SCHEMA_VERSION, json_line, run_summary
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

if TYPE_CHECKING:
    from virst_cli.batch import VideoOutcome

EPILOG = """\b
JOBS is a CSV file whose first line names the columns video and text, or a JSONL file of objects with
these two keys. Each line is one sentence about one video; lines about the same video share its work.
Relative paths start at the folder of JOBS.

\b
Each video gets a run folder <video>.virst. Videos of the same name get the name of their folder in
front, and a number at the end if that is not enough: a/clip.mp4 and b/clip.mp4 become a-clip.virst
and b-clip.virst.

\b
The exit code is 1 if any video failed. A video in which nothing was found has not failed.

\b
Examples:
  virst batch jobs.csv
  virst batch jobs.jsonl -o out -f png --json
"""
FAILED = 1
WIDE = 10_000  # columns of the table where stderr is not a terminal, so that no line is wrapped


def batch(
    jobs: Annotated[Path, typer.Argument(metavar="JOBS", help="CSV or JSONL file of videos and sentences; see below.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder in which the run folders are created.")
    ] = Path(),
    formats: Formats = ["overlay"],  # noqa: B006  Typer copies it
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    chunk: Chunk = None,
    faithful: Faithful = False,
    max_memory: MaxMemory = None,
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Continue where an earlier batch stopped, or redo every video.")
    ] = True,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first video that fails.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Count a truncated video as failed.")] = False,
    engine: Engine = EngineName.local,
    ray_address: RayAddress = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="N",
            help="Maximum number of workers on the cluster; the default is one per GPU, or one per machine without GPUs.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per video on stdout.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress, and the summary table only if a video failed.")
    ] = False,
) -> None:
    """Segment many videos that are listed in a file.

    Started again after an interruption, it continues where it stopped.
    """
    from virst_cli.batch import BatchSettings, plan_batch, run_batch
    from virst_cli.commands.batch_progress import BatchProgress
    from virst_cli.commands.model_note import print_model_note
    from virst_cli.engines import open_engine

    runner = open_engine(engine.value, device=device, ray_address=ray_address, workers=workers)
    settings = BatchSettings(
        output=output, formats=formats, model=model, dtype=dtype, chunk=chunk, faithful=faithful, max_memory=max_memory,
        overwrite=not resume, strict=strict,
    )  # fmt: skip
    plan = plan_batch(jobs, settings)
    if not quiet:
        print_model_note(model, plan.unknown_words)
    finished: list[VideoOutcome] = []
    with (
        BatchProgress(len(plan.tasks), quiet=quiet) as progress,
        closing(run_batch(plan, runner, progress.update)) as outcomes,
    ):
        for outcome in outcomes:
            finished.append(outcome)
            progress.video_finished(outcome)
            if os.environ.get("VIRST_DEBUG") == "1" and outcome.trace is not None:
                progress.print_line(outcome.trace, err=True)
            for line in _result_lines(outcome, as_json=as_json):
                progress.print_line(line)
            if fail_fast and outcome.error is not None:
                break
    failed = sum(outcome.error is not None for outcome in finished)
    if failed or not quiet:
        _print_table(finished)
    if failed:
        left = len(plan.tasks) - len(finished)
        rest = f"; {left} not finished because of --fail-fast" if left else ""
        typer.echo(f"virst: error: {failed} of {len(plan.tasks)} videos failed{rest}", err=True)
        raise typer.Exit(FAILED)


def _result_lines(outcome: "VideoOutcome", *, as_json: bool) -> list[str]:
    """What to print on stdout for a video: one line of JSON, or its files."""
    if not as_json:
        return [str(path) for path in outcome.files]
    task = outcome.task
    if outcome.run is not None:
        result = run_summary(task.folder, outcome.run, outcome.files, warning=outcome.warning)
    else:
        result = {
            "schema_version": SCHEMA_VERSION,
            "run": str(task.folder),
            "video": {"path": str(task.video)},
            "frames": 0,
            "found": False,
            "sentences": [{"text": text, "found": False} for text in task.sentences],
            "files": [],
        }
    return [json_line({**result, "error": outcome.error})]


def _print_table(finished: "list[VideoOutcome]") -> None:
    """Print the results of all videos on stderr, one line per video unless the terminal is too narrow."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    table.add_column("video", overflow="fold")
    for heading in ("sentences", "found", "frames", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("error", overflow="fold")
    for outcome in finished:
        numbers = (len(outcome.found), sum(outcome.found), outcome.frames, f"{outcome.seconds:.1f}")
        table.add_row(*(Text(str(cell)) for cell in (outcome.task.shown, *numbers, outcome.error or "")))
    terminal = sys.stderr.isatty()
    Console(stderr=True, width=None if terminal else WIDE).print(table)
