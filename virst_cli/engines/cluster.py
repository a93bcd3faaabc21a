"""The engine that works on a Ray cluster: one worker per device, each with its own model, which takes one item at a time.

Ray itself runs in a child process (`driver`), because it takes over signals and standard output, takes seconds to end, and leaves
some of its processes behind if it is hurried. A child in a session of its own can be ended at once, with all it has started.
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

from virst_cli.engines.driver import END, ERROR, PROGRESS, RESULT, DriverRequest
from virst_cli.engines.engine import ItemT, MakeWork, OnItemProgress, ResultT
from virst_cli.engines.processes import end_session
from virst_cli.errors import UsageError, VirstError

STDERR_FILE = "driver.err"  # the child's stderr, whose last line is shown only if the child dies


@dataclass(frozen=True)
class RayEngine:
    """Spreads items over a Ray cluster.

    device: `auto` (the cluster's GPUs if it has any, else its CPUs), `cuda`, `cpu` or `mps`.
    address: address of a running cluster, by default $RAY_ADDRESS; if that is not set, a cluster is started on this machine
        until the work is done.
    workers: maximum number of workers; by default one per GPU, or one per machine if no GPU is used.
    """

    device: str = "auto"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError if Ray is not installed, or if the device is one of a single machine."""
        if find_spec("ray") is None:
            raise UsageError("--engine ray needs Ray, which is not installed: pip install 'virst[cluster]'")
        if ":" in self.device:
            kind = self.device.partition(":")[0]
            raise UsageError(f"--device {self.device} names a device of one machine; on a cluster use --device {kind}")

    def map(
        self, make_work: MakeWork[ItemT, ResultT], items: Sequence[ItemT], on_progress: OnItemProgress
    ) -> Generator[tuple[int, ResultT | VirstError], None, None]:
        """Yields (index, result) of every item; see `Engine.map`.

        Raises UsageError if the cluster can't be reached or has no such device.
        """
        address = self.address or os.environ.get("RAY_ADDRESS")
        with (
            _ray_folder() as folder,
            _driver(folder, DriverRequest(make_work, items, self.device, address, self.workers, folder)) as messages,
        ):
            for kind, *content in messages:
                if kind == RESULT:
                    yield content[0], content[1]
                elif kind == PROGRESS:
                    on_progress(*content)
                elif kind == ERROR:
                    raise content[0]


@contextmanager
def _ray_folder() -> Iterator[Path]:
    """A temporary folder for Ray's files. It is right under /tmp because the path of a socket in it must not exceed 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="virst-ray-", dir=None if os.name == "nt" else "/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _driver(folder: Path, request: DriverRequest) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Starts the child process, sends it the request, and gives its messages. Ends all that it has started afterwards."""
    program = f"import sys; sys.path[:] = {sys.path!r}; from virst_cli.engines.driver import main; main()"
    with (folder / STDERR_FILE).open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield _messages(child, folder, request)
    finally:
        end_session(child.pid)
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()


def _messages(child: "subprocess.Popen[bytes]", folder: Path, request: DriverRequest) -> Iterator[tuple[Any, ...]]:
    """Sends the request, then yields the child's messages up to END. Raises VirstError if the child dies before that."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(pickle.dumps(request))
        child.stdin.flush()  # not closed: the child ends when its stdin closes, so it ends when this process does
        while (message := pickle.load(child.stdout))[0] != END:
            yield message
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):  # the child died, perhaps in the middle of a message
        lines = (folder / STDERR_FILE).read_text(errors="replace").splitlines() or ["it gave no reason"]
        raise VirstError(f"Ray ended before the work was done: {lines[-1][:300]}") from None
