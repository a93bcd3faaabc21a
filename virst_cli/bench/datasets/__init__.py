"""The data sets that can be scored, by the name that `virst bench --dataset` takes.

folder_layout.py      finds a data set's folder, and says what is missing
meta_expressions.py   reads its videos and expressions
mask_table.py         reads its true masks
frame_files.py        reads its frames
disk_dataset.py       what the data sets on disk have in common
mevis.py              MeViS, and what `virst world` writes
revos.py              ReVOS
ref_youtube_davis.py  Ref-YouTube-VOS and Ref-DAVIS17
reason_vos.py         ReasonVOS
world.py              the synthetic world, generated when it is used
"""

from collections.abc import Callable
from pathlib import Path

from virst_cli.bench.datasets.mevis import MevisSet
from virst_cli.bench.datasets.reason_vos import ReasonVosSet
from virst_cli.bench.datasets.ref_youtube_davis import RefDavisSet, RefYoutubeVosSet
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
    "ref-youtube-vos": RefYoutubeVosSet,
    "ref-davis17": RefDavisSet,
    "revos": RevosSet,
    "reason-vos": ReasonVosSet,
    "world": _world,
}


def open_dataset(name: str, root: Path | None = None) -> Dataset:
    """Opens a data set by its name.

    root: its own folder or one that holds it; None for a generated world.

    Raises `UsageError` for an unknown name, and for a data set that is missing or incomplete.
    """
    if name not in OPENERS:
        raise UsageError(f"{name!r} is not a known data set; use one of {', '.join(OPENERS)}")
    return OPENERS[name](root)
