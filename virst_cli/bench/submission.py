"""Submissions: the masks of a whole data set in one zip file, as its server accepts them (spec/datasets.md section 4)."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from virst_cli.bench.mask_png import read_mask
from virst_cli.bench.mask_store import write_mask
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.errors import OutputError, UsageError
from virst_cli.files.atomic import partial, writing
from virst_cli.files.shown import shown

TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # of every entry, so that the same masks make the same file


def check_submission(dataset: Dataset, path: Path) -> None:
    """Raises `UsageError` for a data set without a server, `OutputError` if the file can't be written; called before the work."""
    if dataset.archive is None:
        raise UsageError(f"{dataset.name} has no server, because its masks are public; leave out --submission")
    if path.exists():
        raise OutputError(f"{shown(path)} exists already; delete it, or choose another name for --submission")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(path.parent)} is not a folder; create it, or choose another one for --submission")


def write_submission(dataset: Dataset, folder: Path, path: Path) -> None:
    """Packs the masks of every frame of every expression into a zip file.

    folder: the masks, in the layout of predictions.py; none may be missing.
    path: the zip file. It is read again and checked before it takes its name.

    Masks in another form are rewritten to 0 and 255 in one channel. Raises `OutputError` if the check fails.
    """
    check_submission(dataset, path)
    new = partial(path)
    try:
        with writing(path), zipfile.ZipFile(new, "w") as archive:  # PNGs do not shrink any further
            for source, name, _ in _entries(dataset, folder):
                archive.writestr(zipfile.ZipInfo(name, TIMESTAMP), _png(source))
        _verify(dataset, folder, new)
        with writing(path):
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _entries(dataset: Dataset, folder: Path) -> Iterator[tuple[Path, str, Sample]]:
    """Gives for every mask its file, its name in the zip file, and its video."""
    for index in range(len(dataset)):
        sample = dataset[index]
        for expression in sample.expressions:
            for frame in sample.frame_names:
                name = f"{sample.folder(expression)}/{frame}.png"
                yield folder / name, f"{dataset.archive}{name}", sample


def _png(path: Path) -> bytes:
    """The bytes of the file if it is in the form that servers accept, else its mask in that form."""
    mask = read_mask(path)
    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        if picture.format == "PNG" and picture.mode == "L" and np.array_equal(np.asarray(picture), mask * np.uint8(255)):
            return path.read_bytes()
    rewritten = io.BytesIO()
    write_mask(rewritten, mask)
    return rewritten.getvalue()


def _verify(dataset: Dataset, folder: Path, path: Path) -> None:
    """Reads the zip file again: exactly the right entries, none damaged, each a PNG of one channel and of its video's size.

    Raises `OutputError`.
    """
    with zipfile.ZipFile(path) as archive:
        left = set(archive.namelist())
        damaged = archive.testzip()
        if damaged is not None:
            raise OutputError(f"{shown(path)}: {damaged} is damaged after writing; check the disk and run again")
        for _, name, sample in _entries(dataset, folder):
            if name not in left:
                raise OutputError(f"{shown(path)}: {name} was not written; run again")
            left.remove(name)
            with archive.open(name) as file, Image.open(file, formats=("PNG",)) as picture:
                if picture.mode != "L" or (sample.size and (picture.height, picture.width) != sample.size):
                    raise OutputError(f"{shown(path)}: {name} does not have the size of its video; run again")
    if left:
        raise OutputError(f"{shown(path)} has entries that do not belong there: {', '.join(sorted(left)[:5])}; run again")
