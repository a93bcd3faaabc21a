"""The child that talks to Ray: it gets an errand on standard input, and says on standard output how that goes.

It ends, with all that it has started, when its standard input closes: whoever sent it is gone then.
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

# what it says: (DONE, index, result), (TOLD, index, stage, done, total), (RAISED, exception), (ENDED,)
DONE, TOLD, RAISED, ENDED = "done", "told", "raised", "ended"

OBJECTS = 80_000_000  # bytes for objects in shared memory, the least that Ray takes: masks go to disk, not through Ray
CONNECT_TIMEOUT = 5.0  # seconds that a cluster may take to open the door


@dataclass(frozen=True)
class DriverRequest:
    """What `RayEngine.map` was asked for. folder: where a cluster that is started here keeps its files."""

    make: Any
    items: Sequence[Any]
    device: str
    address: str | None
    workers: int | None
    folder: Path


def main() -> None:
    """The program of the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Ray prints what it likes
    errand: DriverRequest = pickle.load(sys.stdin.buffer)
    watch = threading.Thread(target=_end_with_sender, args=(errand.folder,))
    watch.start()
    try:
        _run(errand, lambda *message: _say(answers, message))
        _say(answers, (ENDED,))
    except Exception as error:
        _say(answers, (RAISED, error))
    watch.join()


def _end_with_sender(folder: Path) -> None:
    """Ends everything here, and itself, once the sender has gone; by kill -9 perhaps, and then nobody else clears up."""
    while os.read(0, 1):
        pass
    end_session(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _say(answers: IO[bytes], message: tuple[Any, ...]) -> None:
    try:
        said = pickle.dumps(message)
    except Exception:  # an exception that can't be pickled
        said = pickle.dumps((RAISED, VirstError(one_line(message[-1]))))
    answers.write(said)
    answers.flush()


def _run(errand: DriverRequest, say: Callable[..., None]) -> None:
    from virst_cli.engines.crew import Crew, places

    ray = _connected(errand)
    device, found = places(ray, errand.device, errand.workers)
    crew = Crew(ray, errand.make, device, errand.items, lambda *told: say(TOLD, *told))
    try:
        for index, result in crew.results(found[: len(errand.items)]):
            say(DONE, index, result)
    finally:
        crew.dismiss()
        if errand.address is not None:
            ray.shutdown()  # the cluster goes on, and shall know that we have gone


def _connected(errand: DriverRequest) -> Any:
    """The module `ray`, connected to a cluster. Raises UsageError where there is none, VirstError where none can be started."""
    try:
        import ray
        import ray.util.scheduling_strategies
    except Exception as error:
        raise VirstError(
            f"Ray can't be imported: {one_line(error)}; try pip install --force-reinstall 'virst[cluster]'"
        ) from error
    common = {"log_to_driver": False, "logging_level": logging.ERROR}
    if errand.address is None:
        try:
            ray.init(
                address="local", include_dashboard=False, object_store_memory=OBJECTS, _temp_dir=str(errand.folder), **common
            )
        except Exception as error:  # Ray raises many kinds, and says most of it in several lines
            raise VirstError(f"Ray can't start here: {one_line(error)}") from error
        return ray
    try:
        _check_listening(errand.address)
        ray.init(address=errand.address, **common)
    except Exception as error:
        hint = "" if os.environ.get("RAY_AUTH_MODE") else "; where it wants a token, set RAY_AUTH_MODE=token"
        raise UsageError(f"no Ray cluster can be reached at {errand.address}: {one_line(error)}{hint}") from error
    return ray


def _check_listening(address: str) -> None:
    """Raises OSError at once where nobody listens. Ray itself would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT).close()


def one_line(error: BaseException) -> str:
    """What an exception says, without line breaks and not too long."""
    return " ".join(str(error).split())[:300]
