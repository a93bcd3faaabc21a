"""virst segment: finds what sentences describe in a video, and writes masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virst_cli.commands.cost_text import cost_json, cost_lines
from virst_cli.commands.json_output import SCHEMA_VERSION, json_line, run_summary
from virst_cli.commands.model_note import print_model_note
from virst_cli.commands.option_values import parse_time
from virst_cli.commands.options import AsJson, Chunk, Device, Dtype, Faithful, Formats, MaxMemory, Model

if TYPE_CHECKING:
    from virst_cli.runs.job import Job
    from virst_cli.runs.run import RunResult

EPILOG = """\b
Examples:
  virst segment video.mp4 "the dog that jumps last"
  virst segment video.mp4 "the red ball" "the cat" -f overlay,png --start 0:01 -o out
"""
NOTHING_FOUND = 3


def segment(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="Video file, or folder of frames.")],
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT", help="Sentence that says what to find; several sentences are answered in one pass over the video."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder in which <video>.virst is created.")
    ] = Path(),
    formats: Formats = ["overlay"],  # noqa: B006  Typer copies it
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    chunk: Chunk = None,
    start: Annotated[
        float,
        typer.Option(
            "--start", parser=parse_time, metavar="TIME", help="Start at this time of the video, in seconds or HH:MM:SS."
        ),
    ] = 0.0,
    end: Annotated[
        float | None,
        typer.Option("--end", parser=parse_time, metavar="TIME", help="Stop at this time of the video; the default is its end."),
    ] = None,
    faithful: Faithful = False,
    max_memory: MaxMemory = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    as_json: AsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done and what it would take, and write nothing.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if the video is truncated.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no notes about the model.")] = False,
) -> None:
    """Segment what sentences describe in a video."""
    from virst_cli.runs.job import Job, Request

    job = Job(
        Request(
            video, text, output=output, formats=formats, model=model, device=device, dtype=dtype, chunk=chunk, faithful=faithful,
            max_memory=max_memory, start=start, end=end,
        )
    )  # fmt: skip
    if dry_run:
        _print_plan(job, as_json=as_json)
        return
    if not quiet:
        print_model_note(job.request.model, job.unknown_words)
    result = _run(job, overwrite=overwrite, resume=resume, quiet=quiet)
    if as_json:
        summary = run_summary(job.folder, result.record.run, result.files, warning=result.warning)
        typer.echo(json_line(summary))
    else:
        for path in result.files:
            typer.echo(path)
    if result.warning is not None:
        typer.echo(f"virst: warning: {result.warning}", err=True)
    if result.warning is not None and strict:
        raise typer.Exit(1)
    if not any(result.found):
        typer.echo("virst: nothing was found in the video; the masks are empty", err=True)
        raise typer.Exit(NOTHING_FOUND)


def _run(job: "Job", *, overwrite: bool, resume: bool, quiet: bool) -> "RunResult":
    from virst_cli.commands.progress import Progress
    from virst_cli.runs.run import Run

    with Progress(quiet=quiet) as progress:
        return Run(job, progress).segment(overwrite=overwrite, resume=resume)


def _print_plan(job: "Job", *, as_json: bool) -> None:
    """Print what the run would do, take and write (--dry-run)."""
    from virst_cli.checkpoints.find import choose_model
    from virst_cli.runs.estimate import Estimate

    estimate, info = Estimate(job), job.info
    frames, cost = estimate.frames, (estimate.memory(), estimate.disk(), estimate.time())
    if as_json:
        plan = {
            "schema_version": SCHEMA_VERSION,
            "dry_run": True,
            "run": str(job.folder),
            "frames": frames,
            "duration": info.duration,
            "size": [info.height, info.width],
            "rate": str(info.rate),
            "model": str(job.model),
            "sentences": list(job.request.sentences),
            "files": [str(path) for path in job.files],
            **cost_json(*cost),
        }
        typer.echo(json_line(plan))
        return
    count = "unknown number of" if frames is None else frames
    duration = "" if info.duration is None else f", {info.duration:g} s"
    typer.echo(f"video: {count} frames{duration}, {info.width}x{info.height}, {float(info.rate):g} fps")
    typer.echo(f"model: {choose_model(job.request.model).name} ({job.model})")
    for line in cost_lines(*cost):
        typer.echo(line)
    typer.echo("files that would be written:")
    for path in job.files:
        typer.echo(f"  {path}")
