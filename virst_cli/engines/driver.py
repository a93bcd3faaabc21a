"""The child process that talks to Ray: it reads a request from standard input and writes messages to standard output.

It ends, with all it has started, when its standard input closes, because then its parent process has ended.
"""

import logging
import os
import pickle
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from virst_cli.engines.processes import end_session
from virst_cli.errors import UsageError, VirstError
from virst_cli.files.shown import one_line

# its messages: (RESULT, index, result), (PROGRESS, index, stage, done, total), (ERROR, exception), (END,)
RESULT, PROGRESS, ERROR, END = "result", "progress", "error", "end"

OBJECT_STORE_BYTES = 80_000_000  # of shared memory, about the least that Ray takes: masks go to disk, not through Ray
CONNECT_TIMEOUT = 5.0  # seconds that a cluster may take to accept a connection


@dataclass(frozen=True)
class DriverRequest:
    """The arguments and settings of `RayEngine.map`.

    folder: the folder for the files of a cluster that is started here.
    """

    make_work: Any
    items: Sequence[Any]
    device: str
    address: str | None
    workers: int | None
    folder: Path


def main() -> None:
    """Runs the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # everything that Ray prints goes to stderr and is not mixed with the messages
    request: DriverRequest = pickle.load(sys.stdin.buffer)
    watch = threading.Thread(target=_end_with_parent, args=(request.folder,))
    watch.start()
    try:
        _run(request, lambda *message: _send(output, message))
        _send(output, (END,))
    except Exception as error:
        _send(output, (ERROR, error))
    watch.join()


def _end_with_parent(folder: Path) -> None:
    """Waits until the parent process has ended, then ends all processes here and deletes the folder.

    A parent that was killed with SIGKILL could not do this itself.
    """
    while os.read(0, 1):
        pass
    end_session(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _send(output: IO[bytes], message: tuple[Any, ...]) -> None:
    """Writes a message, pickled."""
    try:
        data = pickle.dumps(message)
    except Exception:  # an exception that can't be pickled
        data = pickle.dumps((ERROR, VirstError(one_line(message[-1]))))
    output.write(data)
    output.flush()


def _run(request: DriverRequest, send: Callable[..., None]) -> None:
    """Runs the items on a pool of workers, and sends their progress and results."""
    from virst_cli.engines.worker_pool import WorkerPool, worker_resources

    ray = _connected(request)
    device, resources = worker_resources(ray, request.device, request.workers)
    pool = WorkerPool(ray, request.make_work, device, request.items, lambda *progress: send(PROGRESS, *progress))
    try:
        for index, result in pool.results(resources[: len(request.items)]):
            send(RESULT, index, result)
    finally:
        pool.end()
        if request.address is not None:
            ray.shutdown()  # disconnects from a cluster that keeps running


def _connected(request: DriverRequest) -> Any:
    """The module `ray`, connected to a cluster.

    Raises UsageError if the cluster can't be reached, and VirstError if Ray can't be imported or started.
    """
    try:
        import ray
        import ray.util.scheduling_strategies
    except Exception as error:
        raise VirstError(
            f"Ray can't be imported: {one_line(error)}; try pip install --force-reinstall 'virst[cluster]'"
        ) from error
    common = {"log_to_driver": False, "logging_level": logging.ERROR}
    if request.address is None:
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=str(request.folder),
                **common,
            )
        except Exception as error:  # Ray raises many types, most with messages of several lines
            raise VirstError(f"Ray can't start here: {one_line(error)}") from error
        return ray
    try:
        _check_listening(request.address)
        ray.init(address=request.address, **common)
    except Exception as error:
        hint = "" if os.environ.get("RAY_AUTH_MODE") else "; if the cluster requires a token, set RAY_AUTH_MODE=token"
        raise UsageError(f"the Ray cluster at {request.address} can't be reached: {one_line(error)}{hint}") from error
    return ray


def _check_listening(address: str) -> None:
    """Raises OSError at once if nothing listens at an address. Ray itself would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT).close()
