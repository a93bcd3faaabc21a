"""Ends a process and all processes it has started. Ray starts about a dozen, and some of them ignore requests to end."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

END_TIMEOUT = 1.0  # seconds that killed processes may take to end; on a busy machine that is not at once
POLL_INTERVAL = 0.01  # seconds between two checks


def end_session(leader: int) -> None:
    """Kills all processes of a session and their descendants, except this process. leader: process id of the session."""
    if os.name == "nt":  # on Windows Ray's processes end with the process that has started them
        return
    to_kill: set[int] = set()
    deadline = time.monotonic() + END_TIMEOUT
    while time.monotonic() < deadline:
        parents = _parents()
        to_kill |= _session(leader, parents) - {os.getpid()}  # again, because one may have started another meanwhile
        living = to_kill & parents.keys()
        if not living:
            return
        for pid in living:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_INTERVAL)


def _session(leader: int, parents: Mapping[int, int]) -> set[int]:
    """Processes of a session and their descendants, some of which may be in other sessions."""
    found = {pid for pid in parents if _session_of(pid) == leader}
    more = found
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return found


def _session_of(pid: int) -> int | None:
    """The session of a process; None if it has ended or may not be inspected."""
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def _parents() -> dict[int, int]:
    """The parent of every living process, by process id. Zombies do not count as living."""
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
