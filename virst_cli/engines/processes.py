"""Ends a process with all that it has started, whatever they do: Ray starts a dozen, and not all of them listen."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PATIENCE = 1.0  # seconds for the killed to be gone: on a busy machine even that takes its turn
PAUSE = 0.01  # seconds


def end_session(leader: int) -> None:
    """Kills all processes of the session that `leader` has begun, and what they have started, but never ourselves."""
    if os.name == "nt":  # Ray ties its processes to the one that has started it there
        return
    doomed: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        parents = _parents()
        doomed |= _session(leader, parents) - {os.getpid()}  # again: one may have started another in the meantime
        living = doomed & parents.keys()
        if not living:
            return
        for pid in living:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE)


def _session(leader: int, parents: Mapping[int, int]) -> set[int]:
    """Processes of a session, and their descendants, who may have begun sessions of their own."""
    found = {pid for pid in parents if _session_of(pid) == leader}
    more = found
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return found


def _session_of(pid: int) -> int | None:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def _parents() -> dict[int, int]:
    """The parent of every living process; a dead one that nobody has taken notice of yet does not count."""
    if Path("/proc/self/stat").exists():
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    parents[int(stat.parent.name)] = int(parent)
        return parents
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return {int(pid): int(parent) for pid, parent, state, *_ in rows if not state.startswith("Z")}
