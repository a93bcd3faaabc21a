"""Reads a mask from a PNG. Scoring spends most of its time here, so only the part of the picture with the mask is processed."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from virst_cli.bench.metrics import CroppedMask, Mask
from virst_cli.video.frame_folder import open_picture, refusing

if TYPE_CHECKING:
    from PIL import Image

PLAIN = ("1", "L", "P")  # modes of one byte a pixel in Pillow; for a palette, the index counts, not its colour

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNK = struct.Struct(">I4s")  # number of bytes, name; then come the bytes and a checksum
HEADER = struct.Struct(">IIBBBBB")  # width, height, bits a channel, channels, compression, filter, interlacing
USUAL = ((8, 0, 0, 0, 0), (8, 3, 0, 0, 0))  # the end of the header of a grey picture, and of one with a palette
LARGE = 2**26  # pixels; Pillow warns of decompression bombs from about there on


def read_mask(path: Path) -> Mask:
    """Reads a mask (H, W); every pixel but 0 belongs to it: 255, 1, an object's number, or any colour of a coloured picture.

    Raises `VideoError` for a file that is not a picture or is damaged.
    """
    return np.asarray(read_cropped_mask(path))


def read_cropped_mask(path: Path) -> CroppedMask:
    """Reads a mask as `read_mask` does, and keeps only the part that has it."""
    usual = _usual_png(path)
    if usual is not None:
        return _cropped(usual)
    with refusing(path), open_picture(path) as picture:
        if picture.mode.startswith("I"):  # 16 bits a pixel
            return CroppedMask.of(np.asarray(picture) != 0)
        return _cropped(picture if picture.mode in PLAIN else picture.convert("RGB"))


def _cropped(picture: "Image.Image") -> CroppedMask:
    """The mask in a picture, cropped to its bounding box."""
    left, top, right, bottom = picture.getbbox() or (0, 0, 0, 0)
    values = np.asarray(picture.crop((left, top, right, bottom)))
    if values.ndim == 3:
        values = values.max(axis=2)
    return CroppedMask((picture.height, picture.width), top, left, values != 0)


def _usual_png(path: Path) -> "Image.Image | None":
    """The picture in a PNG of one byte a pixel, as masks are usually stored; None for any other file, and for a damaged one.

    Pillow only decodes the pixels. Its own parsing of the file takes a sixth of that time again, and blocks other threads.
    """
    from PIL import Image

    if not path.is_file():  # opening a FIFO would hang
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
    """Gives name and content of the chunks of a PNG. Raises `ValueError` or `struct.error` where it is damaged."""
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        length, name = PNG_CHUNK.unpack_from(data, at)
        start, end = at + PNG_CHUNK.size, at + PNG_CHUNK.size + length
        content = data[start:end]
        if zlib.crc32(content, zlib.crc32(name)) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError("damaged")
        yield name, content
        at = end + 4
