"""J and F of one frame, by the rules of the published evaluators (DAVIS 2016; spec/datasets.md section 5).

J is how well the regions overlap, F how well the outlines do, where a pixel of an outline is right if the other outline
passes within a small radius. Frames are large and masks small, so only the part that holds either mask is looked at, and
there each mask is one whole Python integer, one bit a pixel: a shift and an `or` move all pixels at once.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # H, W

TOLERANCE = 0.008  # radius of F, as a share of the frame's diagonal


@dataclass(frozen=True, eq=False)
class Cut:
    """A mask (H, W) of which only the part that holds it is in memory; `numpy.asarray` makes the whole of it.

    >>> np.asarray(Cut((2, 3), 0, 1, np.ones((1, 2), bool))).astype(int)
    array([[0, 1, 1],
           [0, 0, 0]])
    """

    shape: tuple[int, int]  # of the whole
    top: int
    left: int
    held: Mask  # (h, w), as small as can be: (0, 0) of an empty mask

    @classmethod
    def of(cls, mask: "Mask | Cut") -> "Cut":
        """What holds the mask (H, W)."""
        if isinstance(mask, Cut):
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
        """The first row below."""
        return self.top + len(self.held)

    @property
    def right(self) -> int:
        """The first column to the right."""
        width: int = self.held.shape[1]
        return self.left + width

    def any(self) -> bool:
        """Whether a pixel is set, as of an array."""
        return self.held.size > 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.zeros(self.shape, dtype=dtype or bool)
        whole[self.top : self.bottom, self.left : self.right] = self.held
        return whole


def j_and_f(prediction: Mask | Cut, truth: Mask | Cut) -> tuple[float, float]:
    """J and F of two masks (H, W).

    J, the region: intersection over union, 1.0 when both are empty.
    F, the boundary: harmonic mean of the precision and recall of the outlines, 1.0 when neither has one. A mask that
    fills the frame has no outline, as an empty one.
    """
    guess, true = Cut.of(prediction), Cut.of(truth)
    if guess.shape != true.shape:
        raise ValueError(f"masks of different sizes: {guess.shape} and {true.shape}")
    found = [cut for cut in (guess, true) if cut.any()]
    if not found:
        return 1.0, 1.0
    # an outline lies up to one pixel above and left of its mask
    top, left = (max(0, min(starts) - 1) for starts in zip(*((cut.top, cut.left) for cut in found), strict=True))
    height, width = (max(cut.bottom for cut in found) - top, max(cut.right for cut in found) - left)
    reach = radius(*true.shape)
    stride = width + reach  # a gap between rows, so that what leaves one row does not enter the next
    inside = _repeated((1 << width) - 1, height, stride)
    p, t = (_bits(cut, top, left, height, width, stride) for cut in (guess, true))
    j = (p & t & inside).bit_count() / ((p | t) & inside).bit_count()
    return j, 1.0 if j == 1.0 else _agreement(_outline(p, stride) & inside, _outline(t, stride) & inside, stride, reach)


def region(prediction: Mask | Cut, truth: Mask | Cut) -> float:
    """J of `j_and_f`."""
    return j_and_f(prediction, truth)[0]


def boundary(prediction: Mask | Cut, truth: Mask | Cut) -> float:
    """F of `j_and_f`."""
    return j_and_f(prediction, truth)[1]


def radius(height: int, width: int) -> int:
    """How far off, in pixels, a pixel of an outline may be.

    >>> radius(480, 854)
    8
    """
    return math.ceil(TOLERANCE * math.hypot(height, width))


def _bits(cut: Cut, top: int, left: int, height: int, width: int, stride: int) -> int:
    """A part of the frame as one integer: pixel (y, x) of the part is bit y * stride + x.

    The part is followed by one more row and column, empty or, where the frame ends, equal to the last: no outline there.
    """
    part = np.zeros((height + 1, stride), dtype=bool)
    if cut.any():
        part[cut.top - top : cut.bottom - top, cut.left - left : cut.right - left] = cut.held
    if left + width == cut.shape[1]:
        part[:, width] = part[:, width - 1]
    if top + height == cut.shape[0]:
        part[height] = part[height - 1]
    return int.from_bytes(np.packbits(part, bitorder="little").tobytes(), "little")


def _repeated(row: int, rows: int, stride: int) -> int:
    """As many equal rows."""
    bits, there = row, 1
    while there < rows:
        more = min(there, rows - there)
        bits |= bits << more * stride
        there += more
    return bits


def _outline(bits: int, stride: int) -> int:
    """Pixels that differ from the one right, below, or right below."""
    return (bits ^ bits >> 1) | (bits ^ bits >> stride) | (bits ^ bits >> stride + 1)


def _agreement(p: int, t: int, stride: int, reach: int) -> float:
    """F of two outlines; `reach` in pixels."""
    if not p or not t:  # published: an outline on one side only gives precision and recall of 0 and 1, hence 0
        return float(p == t)
    precision = (p & _dilated(t, stride, reach)).bit_count() / p.bit_count()
    recall = (t & _dilated(p, stride, reach)).bit_count() / t.bit_count()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _dilated(bits: int, stride: int, reach: int) -> int:
    """Every pixel within `reach` of one that is set: the union of a disk's rows, the narrowest and farthest first.

    A row of the disk is a run. Runs start at their pixel and grow to the right only, by as much as they are long; half
    of their length is taken back in the shift that puts them in place. The gaps between rows fill with bits that mean
    nothing; the caller masks them out.
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
