"""One process a run folder. Two that append to the same masks.jsonl would interleave their frames.

A lock file made with O_EXCL names its holder. When the holder was killed the file stays behind; whoever comes next
sees that no such process lives and takes over. Waiting makes no sense here, so a held lock is an error at once.
"""

import json
import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from virst_cli.errors import OutputError
from virst_cli.outputs.files import writing
from virst_cli.video.source import shown

NAME = ".lock"
EMPTY_FOR = 2.0  # seconds that are waited for a lock's maker to write its name; it was killed if it doesn't


class Lock:
    """Holds a folder until closed.

    >>> with Lock(folder):
    ...     ...
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._held = False
        with writing(self.path):
            for _ in range(3):  # a stale lock takes a second try; more only when others race for it
                self._held = self._take()
                if self._held:
                    return
                if not self._clear_if_stale():
                    break
        advice = f"wait for it, or delete {NAME} in there if there is none"
        raise OutputError(f"{shown(folder)}: another virst process is writing here; {advice}")

    def close(self) -> None:
        """Lets the folder go; a second time does nothing, for by then the lock may be another's."""
        if self._held:
            self.path.unlink(missing_ok=True)
        self._held = False

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _take(self) -> bool:
        """Makes the lock file; False when there is one."""
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w") as file:
            json.dump({"pid": os.getpid(), "host": socket.gethostname(), "started": _started(os.getpid())}, file)
        return True

    def _clear_if_stale(self) -> bool:
        """Moves a dead process's lock away; False when its holder lives."""
        held = self._read()
        if held is not None and not _stale(held):
            return False
        aside = self.path.with_name(f"{NAME}.{os.getpid()}.stale")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return True  # the holder finished, or another took over
        moved = aside.read_text(errors="replace")
        if held is not None and moved != held:  # someone was faster, and this is the new lock: back with it
            with suppress(FileExistsError):
                os.link(aside, self.path)
        aside.unlink()
        return True

    def _read(self) -> str | None:
        """What the lock says; None when it is gone."""
        end = time.monotonic() + EMPTY_FOR
        with suppress(FileNotFoundError):
            while not (held := self.path.read_text(errors="replace")) and time.monotonic() < end:
                time.sleep(0.05)
            return held
        return None


def _stale(held: str) -> bool:
    """Whether the process that a lock names is dead, as far as this machine can tell."""
    try:
        holder = json.loads(held)
        pid, host, started = int(holder["pid"]), holder["host"], holder["started"]
    except (ValueError, KeyError, TypeError):
        return True  # no lock of ours, or one whose maker was killed before it could write its name
    if host != socket.gethostname():
        return False  # another machine's processes can't be seen from here
    return not _alive(pid) or _started(pid) != started


def _alive(pid: int) -> bool:
    """Whether a process of this number runs."""
    if sys.platform == "win32":
        return True  # os.kill(pid, 0) would send it Ctrl-C; the message names the file to delete
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except PermissionError:
        return True  # someone else's
    return True


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks: numbers are given out again, in containers often the same one."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    return ""  # no /proc here: the number alone must do
