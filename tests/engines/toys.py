"""Work for engines that takes no time: it returns the process and device that did it, or kills its worker."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from virst_cli.errors import UsageError
from virst_cli.stages import OnProgress


class Did(NamedTuple):
    """An item, and the process and device that worked on it."""

    item: str
    pid: int
    device: str
    gpu: str | None
    threads: str | None


@dataclass(frozen=True)
class Toy:
    """Makes the work. folder: for marks that workers leave; broken: making a worker fails."""

    folder: Path
    broken: bool = False

    def __call__(self, device: str) -> Callable[[str, OnProgress], Did]:
        if self.broken:
            raise UsageError(f"no {device} today")
        (self.folder / f"made-{os.getpid()}").touch()

        def work(item: str, on_progress: OnProgress) -> Did:
            on_progress("work", 1, 2)
            mark = self.folder / item
            if item.startswith("kills") and not (item == "kills once" and mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if item.startswith("raises"):
                raise UsageError(f"{item}: this is wrong")
            if item.startswith("waits"):  # until a second worker waits too, so both must work at the same time
                mark.touch()
                while len(list(self.folder.glob("waits*"))) < 2:
                    time.sleep(0.01)
            while item == "late" and not (self.folder / "go").exists():
                time.sleep(0.01)
            return Did(item, os.getpid(), device, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("OMP_NUM_THREADS"))

        return work


def ignore_item_progress(index: int, stage: str, done: int, total: int) -> None:
    """An `OnItemProgress` that does nothing."""
