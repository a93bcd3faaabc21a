"""One process per run folder: two that append to the same masks.jsonl would interleave their frames.

The lock is one of the operating system, on a file in the folder, so it ends with its process, however that ends. Waiting makes no
sense here: a held lock is an error at once.
"""

from contextlib import suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from virst_cli.errors import OutputError
from virst_cli.files.atomic import writing
from virst_cli.files.shown import shown

NAME = ".lock"


class Lock:
    """Holds a folder until closed.

    >>> with Lock(folder):  # doctest: +SKIP
    ...     ...
    """

    def __init__(self, folder: Path) -> None:
        """Raises OutputError when another process (or another `Lock` of this one) holds the folder."""
        self.path = folder / NAME
        with writing(self.path):
            self._lock = self._acquired()
            while not self.path.exists():  # its last holder deleted the file just before it let go: anyone could make a new one
                self._lock.release()
                self._lock = self._acquired()

    def close(self) -> None:
        """Lets the folder go; a second call does nothing."""
        if self._lock.is_locked:
            with suppress(OSError):  # Windows deletes no open file; an empty one may stay there
                self.path.unlink()
            self._lock.release()

    def _acquired(self) -> FileLock:
        lock = FileLock(self.path, timeout=0, thread_local=False)  # whichever thread closes it
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"another virst process is writing to {shown(self.path.parent)}; wait for it to finish, or stop it"
            ) from None
        return lock

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
