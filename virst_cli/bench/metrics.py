"""J and F of one frame, by the rules of the published evaluators (DAVIS 2016; spec/datasets.md section 5).

J measures how well the regions overlap, F how well the outlines agree: a pixel of an outline is right if the other outline
passes within a small radius. Frames are large and masks small, so only the part with either mask is processed, and
there each mask is one Python integer with one bit a pixel: a shift and an `or` move all pixels at once.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # H, W

TOLERANCE = 0.008  # the radius of F, as a share of the frame's diagonal


@dataclass(frozen=True, eq=False)
class CroppedMask:
    """A mask (H, W) stored as its bounding box only; `numpy.asarray` gives the whole mask.

    >>> np.asarray(CroppedMask((2, 3), 0, 1, np.ones((1, 2), bool))).astype(int)
    array([[0, 1, 1],
           [0, 0, 0]])
    """

    shape: tuple[int, int]  # (H, W) of the whole mask
    top: int
    left: int
    box: Mask  # (h, w), the content of the bounding box; (0, 0) for an empty mask

    @classmethod
    def of(cls, mask: "Mask | CroppedMask") -> "CroppedMask":
        """Crops a mask (H, W) to its bounding box."""
        if isinstance(mask, CroppedMask):
            return mask
        size = mask.shape[0], mask.shape[1]
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            return cls(size, 0, 0, mask[:0, :0])
        down = slice(int(rows[0]), int(rows[-1]) + 1)
        columns = np.flatnonzero(mask[down].any(axis=0))
        right = slice(int(columns[0]), int(columns[-1]) + 1)
        return cls(size, down.start, right.start, mask[down, right])

    @property
    def bottom(self) -> int:
        """The first row below the bounding box."""
        return self.top + len(self.box)

    @property
    def right(self) -> int:
        """The first column to the right of the bounding box."""
        width: int = self.box.shape[1]
        return self.left + width

    def any(self) -> bool:
        """Whether any pixel is set, as for an array."""
        return self.box.size > 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.zeros(self.shape, dtype=dtype or bool)
        whole[self.top : self.bottom, self.left : self.right] = self.box
        return whole


def j_and_f(prediction: Mask | CroppedMask, truth: Mask | CroppedMask) -> tuple[float, float]:
    """J and F of two masks (H, W).

    J, of the regions: intersection over union, 1.0 when both are empty.
    F, of the outlines: harmonic mean of their precision and recall, 1.0 when neither mask has an outline. A mask that fills
    the frame has no outline, as an empty one. Raises `ValueError` for masks of different sizes.
    """
    guess, true = CroppedMask.of(prediction), CroppedMask.of(truth)
    if guess.shape != true.shape:
        raise ValueError(f"masks of different sizes: {guess.shape} and {true.shape}")
    filled = [cropped for cropped in (guess, true) if cropped.any()]
    if not filled:
        return 1.0, 1.0
    # an outline lies up to one pixel above and left of its mask
    top, left = (max(0, min(starts) - 1) for starts in zip(*((cropped.top, cropped.left) for cropped in filled), strict=True))
    height, width = (max(cropped.bottom for cropped in filled) - top, max(cropped.right for cropped in filled) - left)
    reach = radius(*true.shape)
    stride = width + reach  # a gap between rows, so that what leaves one row does not enter the next
    inside = _repeated((1 << width) - 1, height, stride)
    p, t = (_bits(cropped, top, left, height, width, stride) for cropped in (guess, true))
    j = (p & t & inside).bit_count() / ((p | t) & inside).bit_count()
    return j, 1.0 if j == 1.0 else _agreement(_outline(p, stride) & inside, _outline(t, stride) & inside, stride, reach)


def region(prediction: Mask | CroppedMask, truth: Mask | CroppedMask) -> float:
    """J of two masks (H, W), as in `j_and_f`."""
    return j_and_f(prediction, truth)[0]


def boundary(prediction: Mask | CroppedMask, truth: Mask | CroppedMask) -> float:
    """F of two masks (H, W), as in `j_and_f`."""
    return j_and_f(prediction, truth)[1]


def radius(height: int, width: int) -> int:
    """How far off, in pixels, a pixel of an outline may be in a frame of this size.

    >>> radius(480, 854)
    8
    """
    return math.ceil(TOLERANCE * math.hypot(height, width))


def _bits(cropped: CroppedMask, top: int, left: int, height: int, width: int, stride: int) -> int:
    """A part of the frame as one integer: pixel (y, x) of the part is bit y * stride + x.

    The part is followed by one more row and column, empty or, where the frame ends, equal to the last: no outline there.
    """
    part = np.zeros((height + 1, stride), dtype=bool)
    if cropped.any():
        part[cropped.top - top : cropped.bottom - top, cropped.left - left : cropped.right - left] = cropped.box
    if left + width == cropped.shape[1]:
        part[:, width] = part[:, width - 1]
    if top + height == cropped.shape[0]:
        part[height] = part[height - 1]
    return int.from_bytes(np.packbits(part, bitorder="little").tobytes(), "little")


def _repeated(row: int, rows: int, stride: int) -> int:
    """The bits of a picture in which all rows are equal to `row`."""
    bits, filled = row, 1
    while filled < rows:
        more = min(filled, rows - filled)
        bits |= bits << more * stride
        filled += more
    return bits


def _outline(bits: int, stride: int) -> int:
    """Pixels that differ from their neighbour to the right, below, or diagonally below to the right."""
    return (bits ^ bits >> 1) | (bits ^ bits >> stride) | (bits ^ bits >> stride + 1)


def _agreement(p: int, t: int, stride: int, reach: int) -> float:
    """F of two outlines, whose pixels may be `reach` pixels apart."""
    if not p or not t:  # published: an outline on one side only gives precision and recall of 0 and 1, hence 0
        return float(p == t)
    precision = (p & _dilated(t, stride, reach)).bit_count() / p.bit_count()
    recall = (t & _dilated(p, stride, reach)).bit_count() / t.bit_count()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _dilated(bits: int, stride: int, reach: int) -> int:
    """Every pixel within `reach` of a set pixel: the union of a disk's rows, starting with its narrow top and bottom rows.

    A row of the disk is a run of set pixels. Runs start at their pixel and grow only to the right, by up to their own length at
    a time; the shift that moves them to their row also moves them left by half of their length. Some bits end up in the gaps
    between rows, where they mean nothing; the caller masks them out.
    """
    run, length = bits, 1
    grown = 0
    for up in range(reach, -1, -1):
        half = math.isqrt(reach * reach - up * up)
        while length < 2 * half + 1:
            step = min(length, 2 * half + 1 - length)
            run |= run << step
            length += step
        below = up * stride - half
        grown |= (run << below if below >= 0 else run >> -below) | run >> up * stride + half
    return grown
