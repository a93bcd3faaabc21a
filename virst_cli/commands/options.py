"""Options that several commands have in common, so that they mean and say the same everywhere."""

from enum import Enum
from typing import Annotated

import typer

Model = Annotated[
    str | None, typer.Option("--model", help="Model: a name, a folder, or owner/name on the Hub; default: the best.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Dtype = Annotated[str, typer.Option("--dtype", help="auto, float32, bfloat16 or float16.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


class EngineName(str, Enum):
    """Where the work is done."""

    local = "local"
    ray = "ray"


Engine = Annotated[EngineName, typer.Option("--engine", help="Videos one after the other here, or on a Ray cluster.")]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", metavar="HOST:PORT", help="A cluster that runs; default $RAY_ADDRESS, else one is started."),
]
Formats = Annotated[
    list[str],
    typer.Option("--format", "-f", metavar="FORMAT", help="overlay, mask-video, png, cutout; repeat, or join with commas."),
]


def pair(text: str, between: str, example: str) -> tuple[int, int]:
    """Two whole numbers, as in `128x64` or `1/4`. Raises typer.BadParameter that shows the example."""
    left, _, right = text.lower().partition(between)
    if not (left.isdecimal() and right.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not two numbers; write {example}")
    return int(left), int(right)
