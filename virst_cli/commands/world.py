"""`virst world`: write synthetic videos with exact masks and sentences."""

from pathlib import Path
from typing import Annotated

import typer

from virst_cli.commands.option_values import parse_pair

EPILOG = """\b
Examples:
  virst world data
  virst world data --videos 20 --seed 7 --size 432x240 --frames 32
"""


def world(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to. The data set is in DIR/mevis/valid_u.")],
    videos: Annotated[int, typer.Option("--videos", min=1, help="Number of videos.")] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the videos. The same seed gives the same videos.")] = 0,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Width and height of the frames in pixels.")] = "128x128",
    frames: Annotated[int, typer.Option("--frames", min=1, help="Number of frames per video.")] = 16,
) -> None:
    """Make synthetic videos with exact masks and sentences, in the layout of MeViS."""
    from virst_cli.world import write_mevis

    write_mevis(folder, videos=videos, seed=seed, size=parse_pair(size, "x", "--size 128x128"), frames=frames)
    typer.echo(folder / "mevis" / "valid_u")
