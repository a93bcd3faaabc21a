"""Workers on a Ray cluster: one a device, each with a model of its own, which does one item at a time.

Ray itself runs in a child (`driver`): it takes over signals and standard output, takes seconds to end, and leaves some of its
processes behind when it is hurried. A child in a session of its own can be ended at once, with all that it has started.
"""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from virst_cli.engines.driver import DONE, ENDED, RAISED, TOLD, DriverRequest
from virst_cli.engines.engine import Item, Make, OnItemProgress, Result
from virst_cli.engines.processes import end_session
from virst_cli.errors import UsageError, VirstError

ERRORS = "driver.err"  # what the child says, and nobody needs to know as long as all goes well


@dataclass(frozen=True)
class RayEngine:
    """Spreads items over a cluster.

    device: `auto` (its GPUs, where there are any), `cuda`, `cpu` or `mps`; address: of a cluster that runs, by default
    $RAY_ADDRESS, else one is started for as long as the work takes; workers: at most so many; by default one a GPU, or
    one a machine where no GPU is used.
    """

    device: str = "auto"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where Ray is not installed, or the device is one of a single machine."""
        if find_spec("ray") is None:
            raise UsageError("--engine ray needs Ray, which is not installed: pip install 'virst[cluster]'")
        if ":" in self.device:
            kind = self.device.partition(":")[0]
            raise UsageError(f"--device {self.device} is one device of one machine; on a cluster say --device {kind}")

    def map(
        self, make: Make[Item, Result], items: Sequence[Item], tell: OnItemProgress
    ) -> Generator[tuple[int, Result | VirstError], None, None]:
        """As in `Engine`. Raises UsageError where the cluster can't be reached or has no such device."""
        address = self.address or os.environ.get("RAY_ADDRESS")
        with _folder() as folder, _driver(folder, DriverRequest(make, items, self.device, address, self.workers, folder)) as said:
            for kind, *message in said:
                if kind == DONE:
                    yield message[0], message[1]
                elif kind == TOLD:
                    tell(*message)
                elif kind == RAISED:
                    raise message[0]


@contextmanager
def _folder() -> Iterator[Path]:
    """Where Ray keeps its files, gone afterwards. Its sockets are in there, and a socket's path ends at 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="virst-ray-", dir=None if os.name == "nt" else "/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _driver(folder: Path, errand: DriverRequest) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Starts the child and gives it its errand; what it says. Afterwards nothing runs that it has started."""
    program = f"import sys; sys.path[:] = {sys.path!r}; from virst_cli.engines.driver import main; main()"
    with (folder / ERRORS).open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield _said(child, folder, errand)
    finally:
        end_session(child.pid)
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()


def _said(child: "subprocess.Popen[bytes]", folder: Path, errand: DriverRequest) -> Iterator[tuple[Any, ...]]:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(pickle.dumps(errand))
        child.stdin.flush()  # and stays open: the child ends when it closes, that is with us
        while (message := pickle.load(child.stdout))[0] != ENDED:
            yield message
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):  # it died, perhaps within a word
        lines = (folder / ERRORS).read_text(errors="replace").splitlines() or ["it does not say why"]
        raise VirstError(f"Ray has ended before its work: {lines[-1][:300]}") from None
