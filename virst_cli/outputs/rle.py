"""Encodes masks as text and decodes them: COCO's compressed run-length encoding (RLE).

pycocotools encodes, but does not decode: if the runs end before the mask does, it returns uninitialised memory, and damaged text
must be refused instead.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from virst_cli.errors import OutputError
from virst_cli.outputs.arrays import Mask

MAX_PIXELS = 1 << 28  # 16384 x 16384; a larger size is damage, or made to exhaust memory
MAX_RUN_CHARACTERS = 6  # per run: each character holds 5 bits, and MAX_PIXELS with its sign needs 30


class Rle(TypedDict):
    """A mask in COCO's format.

    size: [H, W].
    counts: lengths of the runs, column by column, background first, as ASCII text.
    """

    size: list[int]
    counts: str


def encode(mask: Mask) -> Rle:
    """The RLE of a mask, (H, W) bool."""
    height, width = mask.shape
    counts = coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
    assert isinstance(counts, bytes)  # because the RLE is compressed
    return {"size": [height, width], "counts": counts.decode("ascii")}


def decode(rle: Mapping[str, Any]) -> Mask:
    """The mask of an RLE, (H, W) bool. Raises `OutputError` if the RLE is damaged."""
    height, width = _size(rle)
    lengths = _lengths(rle.get("counts"))
    # each length is checked first, because a sum of huge lengths could overflow to the right number
    if (lengths < 0).any() or (lengths > height * width).any() or lengths.sum() != height * width:
        raise OutputError(f"damaged RLE: its runs do not add up to {height} x {width} pixels")
    runs = np.arange(len(lengths)) % 2 == 1  # runs of background and object alternate
    return np.ascontiguousarray(np.repeat(runs, lengths).reshape(width, height).T)


def _size(rle: Mapping[str, Any]) -> tuple[int, int]:
    """The size (H, W) of an RLE. Raises `OutputError` if it is not a valid size."""
    size = rle.get("size") if isinstance(rle, Mapping) else None
    # type() and not isinstance(), because True is an int too
    if not isinstance(size, list) or len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
        raise OutputError("damaged RLE: its size must be [height, width]")
    if size[0] * size[1] > MAX_PIXELS:
        raise OutputError(f"damaged RLE: {size[0]} x {size[1]} pixels is larger than any frame")
    return size[0], size[1]


def _lengths(counts: object) -> NDArray[np.int64]:
    """Run lengths from COCO's text. Raises `OutputError` if the text is damaged.

    Each character is 48 plus 6 bits: 5 bits of the number, lowest first, then a bit that is set if more characters follow.
    From the fourth run on, a run is stored as the difference to the second run before it.
    """
    if not isinstance(counts, str) or not counts:
        raise OutputError("damaged RLE: its counts must be text")
    codes = np.frombuffer(counts.encode("utf-8", "replace"), np.uint8).astype(np.int64) - 48
    if codes.min() < 0 or codes.max() > 63:
        raise OutputError("damaged RLE: its counts hold a character that COCO does not use")
    ends = np.flatnonzero(codes < 32)
    if not ends.size or ends[-1] != codes.size - 1:
        raise OutputError("damaged RLE: its counts are incomplete")
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if widths.max() > MAX_RUN_CHARACTERS:
        raise OutputError("damaged RLE: a run is longer than any frame")
    place = np.arange(codes.size) - np.repeat(starts, widths)
    lengths: NDArray[np.int64] = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = codes[ends] & 16 != 0
    lengths[negative] -= 1 << (5 * widths[negative])
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])  # the first run is never the base of a difference
    return lengths
