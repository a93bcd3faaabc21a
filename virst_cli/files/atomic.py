"""How files are written: beside their place, flushed, then renamed, so that no reader ever sees half a file.

A full disk is recognised and reported here, and nowhere else.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from virst_cli.errors import DiskFull, OutputError, VirstError
from virst_cli.files.shown import shown

PARTIAL = ".partial"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's quota, the largest file that is allowed


def partial(path: Path) -> Path:
    """Where a file or folder is written before it takes its name."""
    return path.with_name(path.name + PARTIAL)


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Gives a place to write to; when the block ends well, what is there takes the name `path`, and otherwise it is deleted.

    shared: other processes may write the same file at the same time. Each then writes to a place of its own; the last one to
        finish wins.

    Raises OSError when the disk does; see `writing`.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}") if shared else partial(path)
    try:
        yield new
        commit(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def commit(new: Path, path: Path) -> None:
    """Flushes the file `new` to the disk, then renames it to `path`: a power cut leaves the old file or the whole new one."""
    with new.open("rb+") as file:
        flush(file)
    new.replace(path)


def flush(file: IO[Any]) -> None:
    """Waits until everything that was written to an open file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def write_text(path: Path, text: str, *, shared: bool = False) -> None:
    """Replaces a small text file in one step. shared: as for `replacing`."""
    with replacing(path, shared=shared) as new:
        # a lone surrogate (from a file name that is not UTF-8) becomes \udcXX, which is also how JSON escapes it
        new.write_bytes(text.encode("utf-8", "backslashreplace"))


def is_disk_full(reason: BaseException | str) -> bool:
    """Whether an exception, or what another program printed, says that there is no room left."""
    if isinstance(reason, str):
        return any(os.strerror(code) in reason for code in _NO_ROOM)
    return isinstance(reason, OSError) and reason.errno in _NO_ROOM


def write_error(path: Path, reason: OSError | ValueError | str) -> VirstError:
    """The error for a file that can't be written. reason: what Python raised, or what another program printed."""
    if is_disk_full(reason) or is_disk_full(str(reason)):
        return DiskFull(f"no room to write {shown(path)}: the disk is full; free some space, or choose another folder with -o")
    why = (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)
    return OutputError(f"{shown(path)} can't be written ({why}); choose another folder with -o")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError that is raised while `path` is written into a DiskFull or OutputError that names it."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def sync_folder(folder: Path) -> None:
    """Makes the renames in a folder outlast a power cut, where the system can."""
    with suppress(OSError):  # Windows opens no folders; there is nothing to flush then
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_folder(new: Path, final: Path) -> None:
    """Gives a finished folder its final name. A folder can't be renamed onto another, so an old one is moved away first."""
    aside = final.with_name(final.name + ".old")
    remove(aside)
    if final.is_symlink() or final.exists():
        final.rename(aside)
    new.rename(final)
    remove(aside)


def remove(path: Path) -> None:
    """Deletes a file, a link (never what it points to) or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
