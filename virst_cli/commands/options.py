"""Options that several commands have in common, so that they mean and say the same everywhere."""

import os
import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def parse_size(text: str) -> int:
    """Bytes: `4GB`, `3.5G`, `4GiB`, `900MB`, or a plain number of them. Raises typer.BadParameter."""
    number, unit = re.fullmatch(r"([\d.]*)\s*(.*)", text.strip(), re.DOTALL).groups()  # type: ignore[union-attr]  # always matches
    try:
        found = round(float(number) * UNITS[unit.upper().removesuffix("B")])
    except (ValueError, KeyError):
        raise typer.BadParameter(f"{text!r} is no size; write 4GB or 900MB") from None
    if found < 1:
        raise typer.BadParameter(f"{text!r} is nothing; write 4GB or 900MB")
    return found


Model = Annotated[
    str | None, typer.Option("--model", help="Model: a name, a folder, or owner/name on the Hub; default: the best.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Dtype = Annotated[str, typer.Option("--dtype", help="auto, float32, bfloat16 or float16.")]
Chunk = Annotated[
    int | None, typer.Option("--chunk", metavar="N", help="Frames that share anchors; default: the model's (published: 256).")
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory", parser=parse_size, metavar="SIZE", help="Keep weights in memory as far as SIZE, such as 4GB, allows."
    ),
]
Faithful = Annotated[bool, typer.Option("--faithful", help="Resize frames just as the published code; slower.")]
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


def go_offline(wanted: bool) -> None:
    """The callback of `--offline`."""
    if wanted:
        os.environ["HF_HUB_OFFLINE"] = "1"


def data_root(root: Path | None) -> Path | None:
    """`--root`, else $VIRST_DATA where it is set."""
    stored = os.environ.get("VIRST_DATA")
    return Path(stored) if root is None and stored else root


def pair(text: str, between: str, example: str) -> tuple[int, int]:
    """Two whole numbers, as in `128x64` or `1/4`. Raises typer.BadParameter that shows the example."""
    left, _, right = text.lower().partition(between)
    if not (left.isdecimal() and right.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not two numbers; write {example}")
    return int(left), int(right)
