"""The connection to a Ray cluster: to one that runs, or to one that is started here and ended with the work.

Ray changes what a signal does, and where it keeps its files; in here that is put right.
"""

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from virst_cli.errors import UsageError, VirstError

NEW = "local"  # how Ray calls a cluster that is started for us alone
KNOCK = 5.0  # seconds that a cluster may take to open the door
OBJECTS = 80_000_000  # bytes for objects in shared memory, the least that Ray takes: masks go to disk, not through Ray


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster as long as the block lasts.

    address: of a running cluster, `auto` for the one of this machine; None for that in $RAY_ADDRESS, or else a new one.
    Where this process is connected already, that connection is used and kept.
    Raises UsageError where Ray is not installed or there is no such cluster, VirstError where none can be started.
    """
    ray = installed()
    if ray.is_initialized():
        yield ray
        return
    ray._private.worker._worker_logs_enabled = False  # or Ray tells of workers that died, and on our stdout
    address = address or os.environ.get("RAY_ADDRESS") or NEW
    try:
        if address == NEW:
            with _started(ray):
                yield ray
        else:
            with _connection(ray, address):
                yield ray
    except SystemError as error:
        if error.__cause__ is None or isinstance(error.__cause__, Exception):
            raise
        raise error.__cause__ from None  # Ray's C++ part makes this of what a signal's handler raises


def installed() -> Any:
    """The module `ray`. Raises UsageError that says how to get it."""
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        why = "is not installed" if error.name == "ray" else f"can't be imported ({error})"
        raise UsageError(f"--engine ray needs Ray, which {why}: pip install 'virst[cluster]'") from None
    return ray


@contextmanager
def _started(ray: Any) -> Iterator[None]:
    """A new cluster of this machine alone. It dies with us, even by kill -9: Ray sees to that."""
    place = None if os.name == "nt" else "/tmp"  # Ray's sockets are in there, and a socket's path ends at 107 bytes
    folder = tempfile.mkdtemp(prefix="virst-ray-", dir=place)
    try:
        with _one_line("Ray can't start here", VirstError), _our_sigterm():
            ray.init(
                address=NEW,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECTS,
                _temp_dir=folder,
            )
        yield
    finally:
        _end(ray)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _connection(ray: Any, address: str) -> Iterator[None]:
    """A cluster that others started, and that goes on after us."""
    try:
        hint = "" if os.environ.get("RAY_AUTH_MODE") else "; where it wants a token, set RAY_AUTH_MODE=token"
        with _one_line(f"no Ray cluster can be reached at {address}", UsageError, hint), _our_sigterm():
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError at once where nobody listens. Ray itself would try for two minutes, deaf to Ctrl-C."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=KNOCK).close()


def _end(ray: Any) -> None:
    """Ends a cluster of ours. Its helpers would take a second to end by themselves, and have nothing to lose."""
    node = getattr(ray._private.worker, "_global_node", None)
    for kind in ("monitor", "log_monitor", "dashboard"):
        for helper in getattr(node, "all_processes", {}).get(kind, ()):
            helper.process.kill()
    ray.shutdown()


@contextmanager
def _one_line(what: str, kind: type[VirstError], hint: str = "") -> Iterator[None]:
    try:
        yield
    except SystemError:  # see `connected`
        raise
    except Exception as error:  # Ray raises many kinds, and says most of it in several lines
        raise kind(f"{what}: {one_line(error)}{hint}") from error


@contextmanager
def _our_sigterm() -> Iterator[None]:
    """Keeps the handler of SIGTERM: Ray puts its own in place, which ends the process with another exit code."""
    if threading.current_thread() is not threading.main_thread():  # then Ray leaves it alone
        yield
        return
    ours = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    stopped = False
    try:
        yield
    except SystemExit:  # what Ray's handler raises
        stopped = True
    finally:
        signal.signal(signal.SIGTERM, ours)
    if stopped:
        signal.raise_signal(signal.SIGTERM)


def one_line(error: BaseException) -> str:
    """What an exception says, without line breaks and not too long."""
    return " ".join(str(error).split())[:300]
