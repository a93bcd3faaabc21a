"""virst export-overlay: renders a finished run, or masks from elsewhere, without the model."""

import re
from pathlib import Path
from typing import Annotated

import typer

from virst_cli.commands.options import Formats

EPILOG = """\b
Examples:
  virst export-overlay
  virst export-overlay video.virst --style spotlight,outline --color orange
"""


def export_overlay(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run folder; the default is the newest *.virst in the current folder.")
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            "--style",
            metavar="STYLE",
            help="Style of the overlay: fill, outline, spotlight or side-by-side; join styles with commas.",
        ),
    ] = "fill,outline",
    color: Annotated[
        list[str],
        typer.Option(
            "--color",
            metavar="COLOR",
            help="Colours of the sentences, as #rrggbb or names; repeat the option, or join colours with commas.",
        ),
    ] = [],  # noqa: B006  Typer copies it
    opacity: Annotated[float, typer.Option("--opacity", metavar="X", min=0, max=1, help="Opacity of the fill, 0 to 1.")] = 0.45,
    label: Annotated[bool, typer.Option("--label/--no-label", help="Write each sentence on the frames, or do not.")] = True,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Keep the sound of the video, or drop it.")] = True,
    formats: Formats = ["overlay"],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder to write to; the default is the run folder, or with --masks the current folder.",
        ),
    ] = None,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="VIDEO", help="Video of --masks, or of a run whose video was moved.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", metavar="DIR", help="Folder of PNG masks, one per frame, or of one such folder per object."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files outside the run folder.")] = False,
) -> None:
    """Render a finished run again in another style or format.

    The masks are read from the run folder; no model is needed.
    """
    from virst_cli.errors import UsageError
    from virst_cli.outputs.palette import parse_colour
    from virst_cli.outputs.record import Record
    from virst_cli.outputs.renderings import parse_formats
    from virst_cli.outputs.style import Style
    from virst_cli.runs.export import RenderOptions, export_masks, export_run

    colours = [parse_colour(name) for text in color for name in re.split(r",(?![^(]*\))", text)]  # rgb(1, 2, 3) is one colour
    options = RenderOptions(parse_formats(formats), Style.parse(style), colours, opacity, label, audio)
    if masks is not None and (video is None or run is not None):
        raise UsageError("--masks needs --video and takes no run folder; write virst export-overlay --video VIDEO --masks DIR")
    if masks is not None and video is not None:
        files = export_masks(video, masks, options, output=output or Path(), overwrite=overwrite)
    else:
        files = export_run(run or Record.newest(Path()), options, output=output, video=video, overwrite=overwrite)
    for path in files:
        typer.echo(path)
