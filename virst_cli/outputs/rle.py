"""A mask as text: COCO's compressed run-length encoding.

Encoding is pycocotools'. Decoding is ours: for runs that stop short of the mask's end, pycocotools returns memory that
nobody wrote, and a record read from disk must be refused instead.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from virst_cli.errors import OutputError

MAX_PIXELS = 1 << 28  # 16384 x 16384; a longer claim is damage or a bomb
MAX_RUN_CHARACTERS = 6  # characters a run takes: 5 bits each, and MAX_PIXELS with its sign needs 30


class Rle(TypedDict):
    """COCO's object: size (H, W), and the lengths of the runs, background first, column by column, as ASCII text."""

    size: list[int]
    counts: str


def encode(mask: NDArray[np.bool_]) -> Rle:
    """The RLE of a mask of shape (H, W)."""
    height, width = mask.shape
    counts = coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
    assert isinstance(counts, bytes)  # as compressed ones are
    return {"size": [height, width], "counts": counts.decode("ascii")}


def decode(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The mask, (H, W) bool, of an RLE. Raises `OutputError` for anything that does not fill the mask exactly."""
    height, width = _size(rle)
    lengths = _lengths(rle.get("counts"))
    # each length is checked before they are added: a sum of huge lengths could wrap around to the right number
    if (lengths < 0).any() or (lengths > height * width).any() or lengths.sum() != height * width:
        raise OutputError(f"damaged RLE: its runs do not add up to {height} x {width} pixels")
    runs = np.arange(len(lengths)) % 2 == 1  # background and mask in turn
    return np.ascontiguousarray(np.repeat(runs, lengths).reshape(width, height).T)


def _size(rle: Mapping[str, Any]) -> tuple[int, int]:
    """(H, W), or an error."""
    size = rle.get("size") if isinstance(rle, Mapping) else None
    # bool is an int in Python, and [true, true] is no size
    if not isinstance(size, list) or len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
        raise OutputError("damaged RLE: its size must be [height, width]")
    if size[0] * size[1] > MAX_PIXELS:
        raise OutputError(f"damaged RLE: {size[0]} x {size[1]} pixels is larger than any frame")
    return size[0], size[1]


def _lengths(counts: object) -> NDArray[np.int64]:
    """Run lengths from COCO's text: characters of 5 bits, lowest first, bit 6 says more follow; from the fourth run on,
    a run is stored as its difference to the one two before."""
    if not isinstance(counts, str) or not counts:
        raise OutputError("damaged RLE: its counts must be text")
    codes = np.frombuffer(counts.encode("utf-8", "replace"), np.uint8).astype(np.int64) - 48
    if codes.min() < 0 or codes.max() > 63:
        raise OutputError("damaged RLE: its counts hold a character that COCO's do not")
    ends = np.flatnonzero(codes < 32)
    if not ends.size or ends[-1] != codes.size - 1:
        raise OutputError("damaged RLE: its counts break off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if widths.max() > MAX_RUN_CHARACTERS:
        raise OutputError("damaged RLE: a run is longer than any frame")
    place = np.arange(codes.size) - np.repeat(starts, widths)
    lengths: NDArray[np.int64] = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = codes[ends] & 16 != 0
    lengths[negative] -= 1 << (5 * widths[negative])
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])  # the first run stands alone
    return lengths
