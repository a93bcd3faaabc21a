"""A folder of frames as a video: JPEG or PNG files, in the order of the first number in their names.

The order and the ignored EXIF rotation are those of the published evaluation (spec section 4).
"""

import contextlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from virst_cli.errors import VideoError
from virst_cli.files.shown import shown
from virst_cli.video.source import require_regular, require_sane

if TYPE_CHECKING:
    from PIL import Image

RATE = Fraction(24)  # frames per second; a folder states none, and DAVIS, which comes as folders, has this one
SUFFIXES = (".jpg", ".jpeg", ".png")


def frame_files(folder: Path) -> list[Path]:
    """The frames of a folder in order. Raises VideoError if it holds none."""
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    except OSError as error:
        raise VideoError(f"{shown(folder)}: can't be read: {error.strerror}") from None
    if not found:
        raise VideoError(f"{shown(folder)}: the folder holds no frames ({', '.join(SUFFIXES)})")
    return sorted(found, key=_order)


def _order(path: Path) -> tuple[int, str]:
    digits = re.search("[0-9]+", path.stem)
    return (int(digits[0]) if digits else -1, path.name)


def common_size(files: list[Path]) -> tuple[int, int]:
    """(width, height) of all frames, from their headers. Raises VideoError naming the first two that differ."""
    size = (0, 0)
    for path in files:
        with open_picture(path) as picture:
            if size == (0, 0):
                size = picture.size
                require_sane(path, *size)
            require_same_size(files[0], size, path, picture.size)
    return size


def require_same_size(first: Path, size: tuple[int, int], path: Path, other: tuple[int, int]) -> None:
    """Raises VideoError naming both files if their sizes differ."""
    if other != size:
        raise VideoError(
            f"{shown(first.parent)}: frames differ in size: {shown(Path(first.name))} is {size[0]}x{size[1]}, "
            f"{shown(Path(path.name))} is {other[0]}x{other[1]}"
        )


def open_picture(path: Path) -> "Image.Image":
    """Opens a picture and reads its header only. Raises VideoError if it is not a picture, or is a decompression bomb."""
    from PIL import Image

    require_regular(path)
    Image.preinit()  # loads both formats; otherwise Pillow may import all of its formats to find them
    with refusing(path):
        return Image.open(path, formats=("JPEG", "PNG"))


def pictures(files: list[Path]) -> "Iterator[Image.Image]":
    """The frames in RGB, decoded one at a time. Raises VideoError at one that is damaged or has another size."""
    size = (0, 0)
    for path in files:
        with open_picture(path) as picture:
            size = picture.size if size == (0, 0) else size
            require_same_size(files[0], size, path, picture.size)
            with refusing(path):
                rgb = _to_rgb(picture)
        yield rgb


def _to_rgb(picture: "Image.Image") -> "Image.Image":
    if picture.mode.startswith("I"):  # 16 bits a pixel: convert() would clip them
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    return picture.convert("RGB")


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turns the many exceptions that Pillow raises for damaged pictures and bombs into a VideoError."""
    from PIL import Image, UnidentifiedImageError

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    broken = (OSError, ValueError, SyntaxError, EOFError, LookupError, ArithmeticError, struct.error, zlib.error)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except UnidentifiedImageError:
            raise VideoError(f"{shown(path)}: damaged, or neither JPEG nor PNG") from None
        except (*bombs, *broken) as error:
            reason = next(iter(str(error).splitlines()), "damaged")
            raise VideoError(f"{shown(path)}: not a readable picture ({reason})") from None
