"""The data sets that can be scored, by the name that `virst bench --dataset` takes."""

from collections.abc import Callable
from pathlib import Path

from virst_cli.bench.datasets.mevis import MevisSet
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.samples import Dataset
from virst_cli.errors import UsageError


def _world(root: Path | None) -> Dataset:
    return WorldSet() if root is None else MevisSet(root, name="world")  # `virst world` writes it like MeViS


def _mevis(root: Path | None) -> Dataset:
    if root is None:
        raise UsageError("mevis has to be on disk: give its folder with --root or set VIRST_DATA")
    return MevisSet(root)


OPENERS: dict[str, Callable[[Path | None], Dataset]] = {"mevis": _mevis, "world": _world}


def open_dataset(name: str, root: Path | None = None) -> Dataset:
    """The data set of that name. `root`: its own folder or one that holds it; None where it is made on the fly.

    Raises `UsageError` for an unknown name, and for a data set that is not there or not whole.
    """
    if name not in OPENERS:
        raise UsageError(f"unknown data set {name!r}: use one of {', '.join(OPENERS)}")
    return OPENERS[name](root)
