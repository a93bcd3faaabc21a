"""A submission: the masks of a whole data set in one zip file, just as its server takes them (spec/datasets.md section 4)."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from virst_cli.bench.mask_file import read_mask
from virst_cli.bench.mask_store import write_mask
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.errors import OutputError, UsageError
from virst_cli.files.atomic import partial, writing
from virst_cli.files.shown import shown

MOMENT = (1980, 1, 1, 0, 0, 0)  # of every entry, so that the same masks make the same file


def check_submission(dataset: Dataset, path: Path) -> None:
    """Raises an error where no server takes the data set, or the file can't be written: before hours of work, not after."""
    if dataset.archive is None:
        raise UsageError(f"no server scores {dataset.name}, its masks are public; leave out --submission")
    if path.exists():
        raise OutputError(f"{shown(path)} is there already; remove it, or choose another name")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(path.parent)} is no folder; make it, or choose another one for --submission")


def write_submission(dataset: Dataset, folder: Path, path: Path) -> None:
    """Packs the masks of every frame of every expression; `folder` holds them as in predictions.py, and none is missing.

    Masks that are not 0 and 255 in one channel are made so. The file is read again before it takes its name. Raises
    `OutputError` if it is not what was meant.
    """
    check_submission(dataset, path)
    new = partial(path)
    try:
        with writing(path), zipfile.ZipFile(new, "w") as archive:  # PNGs do not shrink any further
            for source, name, _ in _entries(dataset, folder):
                archive.writestr(zipfile.ZipInfo(name, MOMENT), _png(source))
        _verify(dataset, folder, new)
        with writing(path):
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _entries(dataset: Dataset, folder: Path) -> Iterator[tuple[Path, str, Sample]]:
    """Every mask: its file, its name in the zip, its video."""
    for index in range(len(dataset)):
        sample = dataset[index]
        for expression in sample.expressions:
            for frame in sample.frame_names:
                name = f"{sample.folder(expression)}/{frame}.png"
                yield folder / name, f"{dataset.archive}{name}", sample


def _png(path: Path) -> bytes:
    """The file as it is where it is what servers want, else its mask written anew."""
    mask = read_mask(path)
    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        if picture.format == "PNG" and picture.mode == "L" and np.array_equal(np.asarray(picture), mask * np.uint8(255)):
            return path.read_bytes()
    anew = io.BytesIO()
    write_mask(anew, mask)
    return anew.getvalue()


def _verify(dataset: Dataset, folder: Path, path: Path) -> None:
    """Reads the zip again: just the right entries, none damaged, each a PNG of one channel and of its video's size."""
    with zipfile.ZipFile(path) as archive:
        left = set(archive.namelist())
        damaged = archive.testzip()
        if damaged is not None:
            raise OutputError(f"{shown(path)}: {damaged} was not written as it should be; is the disk damaged? Run again")
        for _, name, sample in _entries(dataset, folder):
            if name not in left:
                raise OutputError(f"{shown(path)}: {name} was not written; run again")
            left.remove(name)
            with archive.open(name) as file, Image.open(file, formats=("PNG",)) as picture:
                if picture.mode != "L" or (sample.size and (picture.height, picture.width) != sample.size):
                    raise OutputError(f"{shown(path)}: {name} is no mask of the size of its video; run again")
    if left:
        raise OutputError(f"{shown(path)} has entries too many: {', '.join(sorted(left)[:5])}; run again")
