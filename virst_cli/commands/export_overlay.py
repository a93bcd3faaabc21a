"""virst export-overlay: renders a run again, or masks from elsewhere, without the model."""

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
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run folder; by default the newest *.virst here.")] = None,
    style: Annotated[
        str, typer.Option("--style", help="fill, outline, spotlight, side-by-side; join with commas.")
    ] = "fill,outline",
    color: Annotated[list[str], typer.Option("--color", help="#rrggbb or a name; one a sentence.")] = [],  # noqa: B006  Typer copies it
    opacity: Annotated[float, typer.Option("--opacity", min=0, max=1, help="Of the fill.")] = 0.45,
    label: Annotated[bool, typer.Option("--label/--no-label", help="Write the sentences on the picture.")] = True,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Carry the sound over.")] = True,
    formats: Formats = ["overlay"],  # noqa: B006
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="By default the run folder.")] = None,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="VIDEO", help="The video of --masks, or of a run if it moved.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option("--masks", metavar="DIR", help="PNG masks, one a frame; a folder an object.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace pictures outside of the run folder.")] = False,
) -> None:
    """Render a finished run again, without the model."""
    from virst_cli.errors import UsageError
    from virst_cli.outputs.palette import parse_colour
    from virst_cli.outputs.record import Record
    from virst_cli.outputs.renderings import parse_formats
    from virst_cli.outputs.style import Style
    from virst_cli.runs.export import RenderOptions, export_masks, export_run

    colours = [parse_colour(name) for text in color for name in re.split(r",(?![^(]*\))", text)]  # rgb(1, 2, 3) is one colour
    look = RenderOptions(parse_formats(formats), Style.parse(style), colours, opacity, label, audio)
    if masks is not None and (video is None or run is not None):
        raise UsageError("--masks needs --video, and no run folder: virst export-overlay --video VIDEO --masks DIR")
    if masks is not None and video is not None:
        files = export_masks(video, masks, look, output=output or Path(), overwrite=overwrite)
    else:
        files = export_run(run or Record.newest(Path()), look, output=output, video=video, overwrite=overwrite)
    for path in files:
        typer.echo(path)
