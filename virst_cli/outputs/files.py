"""How files come to be here: written beside their place, flushed, then renamed. A full disk has a name of its own."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from virst_cli.errors import DiskFull, OutputError
from virst_cli.video.source import shown

PARTIAL = ".partial"


def partial(path: Path) -> Path:
    """Where a file or folder is written before it takes its name."""
    return path.with_name(path.name + PARTIAL)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the operating system says while `path` is written into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{shown(path)}: the disk is full; nothing was left under its final name") from error
        why = error.strerror or str(error)
        raise OutputError(f"{shown(path)}: can't be written ({why}); choose another folder with -o") from error


def write_text(path: Path, text: str) -> None:
    """Puts a small file in place, old or new at any moment, never half."""
    new = path.with_name(path.name + ".new")
    # a lone surrogate (a file name that is no UTF-8) becomes \udcXX, which is just how JSON escapes it
    new.write_bytes(text.encode("utf-8", "backslashreplace"))
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.replace(path)


def settle(folder: Path) -> None:
    """Makes the renames in a folder outlast a power cut, where the system can."""
    with suppress(OSError):  # Windows opens no folders; there is nothing to flush then
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_folder(new: Path, final: Path) -> None:
    """Gives a finished folder its final name. A folder can't be renamed onto another, so an old one steps aside."""
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
