"""Reads a mask that is stored as a PNG: most of the time that scoring takes, so only the part that holds it is touched."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from virst_cli.bench.metrics import Cut, Mask
from virst_cli.video.frame_folder import open_picture, refusing

if TYPE_CHECKING:
    from PIL import Image

PLAIN = ("1", "L", "P")  # one byte a pixel in Pillow; a palette's index counts, not its colour

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNK = struct.Struct(">I4s")  # bytes in it, name; a checksum follows the bytes
HEADER = struct.Struct(">IIBBBBB")  # width, height, bits a channel, channels, compression, filter, interlacing
USUAL = ((8, 0, 0, 0, 0), (8, 3, 0, 0, 0))  # the end of the header of a picture of greys, and of one of palette indices
LARGE = 2**26  # pixels; from about there on Pillow warns of a bomb


def read_mask(path: Path) -> Mask:
    """(H, W); whatever is not 0 is mask: 255, 1, an object's number, or in a coloured picture any of the colours.

    Raises `VideoError` for a file that is no picture or is damaged.
    """
    return np.asarray(read_cut(path))


def read_cut(path: Path) -> Cut:
    """As `read_mask`, with only the part that holds the mask kept."""
    usual = _usual(path)
    if usual is not None:
        return _cut(usual)
    with refusing(path), open_picture(path) as picture:
        if picture.mode.startswith("I"):  # 16 bits a pixel
            return Cut.of(np.asarray(picture) != 0)
        return _cut(picture if picture.mode in PLAIN else picture.convert("RGB"))


def _cut(picture: "Image.Image") -> Cut:
    left, top, right, bottom = picture.getbbox() or (0, 0, 0, 0)
    values = np.asarray(picture.crop((left, top, right, bottom)))
    if values.ndim == 3:
        values = values.max(axis=2)
    return Cut((picture.height, picture.width), top, left, values != 0)


def _usual(path: Path) -> "Image.Image | None":
    """The picture of a whole PNG of one byte a pixel, as masks are stored; None for any other file, or a damaged one.

    Pillow decodes it; to let Pillow find out that it can would take a sixth of that time again, with all else waiting.
    """
    from PIL import Image

    if not path.is_file():  # a FIFO hangs
        return None
    try:
        chunks = list(_chunks(path.read_bytes()))
        width, height, *kind = HEADER.unpack(chunks[0][1])
        if tuple(kind) not in USUAL or not 0 < width * height <= LARGE:
            return None
        pixels = b"".join(content for name, content in chunks if name == b"IDAT")
        return Image.frombytes("L", (width, height), pixels, "zip", "L", 0)
    except (OSError, ValueError, LookupError, struct.error):
        return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the chunks of a PNG. Raises `ValueError` or `struct.error` where it is damaged."""
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG")
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        length, name = PNG_CHUNK.unpack_from(data, at)
        start, end = at + PNG_CHUNK.size, at + PNG_CHUNK.size + length
        content = data[start:end]
        if zlib.crc32(content, zlib.crc32(name)) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError("damaged")
        yield name, content
        at = end + 4
