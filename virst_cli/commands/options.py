"""Options that several commands share, so that they have the same name, meaning and help text everywhere."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from virst_cli.commands.option_values import parse_size

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Model name, model folder, or owner/name on the Hub; the default is the largest model on this machine.",
    ),
]
Device = Annotated[str, typer.Option("--device", metavar="DEVICE", help="Device to run on: auto, cpu, cuda, cuda:1 or mps.")]
Dtype = Annotated[
    str, typer.Option("--dtype", metavar="DTYPE", help="Precision to compute in: auto, float32, bfloat16 or float16.")
]
Chunk = Annotated[
    int | None,
    typer.Option(
        "--chunk", metavar="N", help="Frames that share anchors; the default is what suits the model (256 as published)."
    ),
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        parser=parse_size,
        metavar="SIZE",
        help="Memory the model may use, for example 4GB; weights that do not fit are read from disk when they are needed.",
    ),
]
Faithful = Annotated[bool, typer.Option("--faithful", help="Resize frames exactly as the published code does; slower.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


class EngineName(str, Enum):
    """The choices of `--engine`."""

    local = "local"
    ray = "ray"


Engine = Annotated[
    EngineName,
    typer.Option("--engine", help="Where to run: local, one video after another on this machine, or ray, on a Ray cluster."),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="Address of a running Ray cluster; the default is $RAY_ADDRESS, or else a new cluster on this machine.",
    ),
]
Formats = Annotated[
    list[str],
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="Output format: overlay, mask-video, png or cutout; repeat the option, or join formats with commas.",
    ),
]


def go_offline(offline: bool) -> None:
    """Callback of `--offline`: forbids huggingface_hub to use the network."""
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def data_root(root: Path | None) -> Path | None:
    """Folder of the data sets: `--root` if it was given, else $VIRST_DATA if it is set, else None."""
    default = os.environ.get("VIRST_DATA")
    return Path(default) if root is None and default else root
