"""J and F of one frame, by the rules of the published evaluators (DAVIS 2016; spec/datasets.md section 5).

J is how well the regions overlap, F how well the outlines do, where a pixel of an outline is right if the other outline
passes within a small radius. Outlines are thin and frames large, so F looks only at the part that holds either mask,
and dilates there on whole Python integers, one bit a pixel: a shift and an `or` move all pixels at once.
"""

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # H, W

TOLERANCE = 0.008  # radius of F, as a share of the frame's diagonal


def j_and_f(prediction: Mask, truth: Mask) -> tuple[float, float]:
    """J and F of two masks (H, W): what `region` and `boundary` give, with the frame searched for the masks only once."""
    window = _window(prediction, truth)
    if window is None:
        return 1.0, 1.0
    guess, true = prediction[window], truth[window]
    j = _overlap(guess, true)
    return j, 1.0 if j == 1.0 else _agreement(guess, true, radius(*truth.shape))


def region(prediction: Mask, truth: Mask) -> float:
    """J: intersection over union of two masks (H, W), 1.0 when both are empty."""
    window = _window(prediction, truth)
    return 1.0 if window is None else _overlap(prediction[window], truth[window])


def boundary(prediction: Mask, truth: Mask) -> float:
    """F: harmonic mean of the precision and recall of the outlines of two masks (H, W), 1.0 when neither has one.

    A mask that fills the frame has no outline, as an empty one.
    """
    window = _window(prediction, truth)
    return 1.0 if window is None else _agreement(prediction[window], truth[window], radius(*truth.shape))


def radius(height: int, width: int) -> int:
    """How far off, in pixels, a pixel of an outline may be.

    >>> radius(480, 854)
    8
    """
    return math.ceil(TOLERANCE * math.hypot(height, width))


def _window(prediction: Mask, truth: Mask) -> tuple[slice, slice] | None:
    """The rows and columns that hold the masks and their outlines, which lie up to one pixel above and left of them.

    One more row and column below and right tell a mask that ends there from one that the frame cuts off.
    """
    rows = np.flatnonzero(prediction.any(axis=1) | truth.any(axis=1))
    if not rows.size:
        return None
    down = slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2)
    columns = np.flatnonzero(prediction[down].any(axis=0) | truth[down].any(axis=0))
    return down, slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2)


def _overlap(guess: Mask, true: Mask) -> float:
    """J of two masks that are not both empty."""
    both = int(np.count_nonzero(guess & true))
    return both / (int(np.count_nonzero(guess)) + int(np.count_nonzero(true)) - both)


def _agreement(guess: Mask, true: Mask, reach: int) -> float:
    """F of two masks in their window; `reach` in pixels."""
    stride = guess.shape[1] + reach  # a gap between rows, so that what leaves one row does not enter the next
    p, t = _outline(guess, stride), _outline(true, stride)
    if not p or not t:  # published: an outline on one side only gives precision and recall of 0 and 1, hence 0
        return float(p == t)
    precision = (p & _dilated(t, stride, reach)).bit_count() / p.bit_count()
    recall = (t & _dilated(p, stride, reach)).bit_count() / t.bit_count()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _outline(mask: Mask, stride: int) -> int:
    """Pixels that differ from the one right, below, or right below, as one integer: pixel (y, x) is bit y * stride + x.

    The last row looks only right, the last column only down, the corner nowhere.
    """
    height, width = mask.shape
    outline = np.zeros((height, stride), dtype=bool)
    inner, here = outline[:-1, : width - 1], mask[:-1, :-1]
    np.not_equal(here, mask[:-1, 1:], out=inner)
    inner |= here != mask[1:, :-1]
    inner |= here != mask[1:, 1:]
    outline[-1, : width - 1] = mask[-1, :-1] != mask[-1, 1:]
    outline[:-1, width - 1] = mask[:-1, -1] != mask[1:, -1]
    return int.from_bytes(np.packbits(outline, bitorder="little").tobytes(), "little")


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
