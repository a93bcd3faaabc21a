"""The data sets that can be scored, by the name that `virst bench --dataset` takes.

place.py        where a set lies, and what to say when it doesn't
tables.py       its videos and sentences
masks.py        its true masks
frames.py       its frames
on_disk.py      what sets on disk have in common
mevis.py        MeViS, and what `virst world` writes
revos.py        ReVOS
refer.py        Ref-YouTube-VOS and Ref-DAVIS17
reason_vos.py   ReasonVOS
world.py        the synthetic world, made on the fly
"""

from collections.abc import Callable
from pathlib import Path

from virst_cli.bench.datasets.mevis import MevisSet
from virst_cli.bench.datasets.reason_vos import ReasonVosSet
from virst_cli.bench.datasets.refer import DavisSet, YoutubeSet
from virst_cli.bench.datasets.revos import RevosSet
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.samples import Dataset
from virst_cli.errors import UsageError


def _world(root: Path | None) -> Dataset:
    return WorldSet() if root is None else MevisSet(root, name="world")  # `virst world` writes it like MeViS


def _mevis_test(root: Path | None) -> Dataset:
    return MevisSet(root, name="mevis-test", hidden=True)


OPENERS: dict[str, Callable[[Path | None], Dataset]] = {
    "mevis": MevisSet,
    "mevis-test": _mevis_test,
    "ref-youtube-vos": YoutubeSet,
    "ref-davis17": DavisSet,
    "revos": RevosSet,
    "reason-vos": ReasonVosSet,
    "world": _world,
}


def open_dataset(name: str, root: Path | None = None) -> Dataset:
    """The data set of that name. `root`: its own folder or one that holds it; None where it is made on the fly.

    Raises `UsageError` for an unknown name, and for a data set that is not there or not whole.
    """
    if name not in OPENERS:
        raise UsageError(f"unknown data set {name!r}: use one of {', '.join(OPENERS)}")
    return OPENERS[name](root)
