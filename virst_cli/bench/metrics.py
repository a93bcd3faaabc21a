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


def region(prediction: Mask, truth: Mask) -> float:
    """J: intersection over union of two masks (H, W), 1.0 when both are empty."""
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def boundary(prediction: Mask, truth: Mask) -> float:
    """F: harmonic mean of the precision and recall of the outlines of two masks (H, W), 1.0 when neither has one.

    A mask that fills the frame has no outline, as an empty one.
    """
    reach = radius(*truth.shape)
    window = _window(prediction | truth)
    if window is None:
        return 1.0
    guess, true = (_outline(mask[window]) for mask in (prediction, truth))
    stride = guess.shape[1] + reach  # a gap between rows, so that what leaves one row does not enter the next
    p, t = _bits(guess, stride), _bits(true, stride)
    if not p or not t:  # published: an outline on one side only gives precision and recall of 0 and 1, hence 0
        return float(p == t)
    precision = (p & _dilated(t, stride, reach)).bit_count() / p.bit_count()
    recall = (t & _dilated(p, stride, reach)).bit_count() / t.bit_count()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def radius(height: int, width: int) -> int:
    """How far off, in pixels, a pixel of an outline may be.

    >>> radius(480, 854)
    8
    """
    return math.ceil(TOLERANCE * math.hypot(height, width))


def _window(mask: Mask) -> tuple[slice, slice] | None:
    """The rows and columns that hold the mask and its outline, which lies up to one pixel above and left of it.

    One more row and column below and right tell a mask that ends there from one that the frame cuts off.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    down = slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2)
    columns = np.flatnonzero(mask[down].any(axis=0))
    return down, slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2)


def _outline(mask: Mask) -> Mask:
    """Pixels that differ from the one right, below, or right below; beyond the frame the picture goes on unchanged."""
    wide = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask ^ wide[:-1, 1:]) | (mask ^ wide[1:, :-1]) | (mask ^ wide[1:, 1:])


def _bits(mask: Mask, stride: int) -> int:
    """The mask as one integer: pixel (y, x) is bit y * stride + x."""
    padded = np.zeros((mask.shape[0], stride), dtype=bool)
    padded[:, : mask.shape[1]] = mask
    return int.from_bytes(np.packbits(padded, bitorder="little").tobytes(), "little")


def _dilated(bits: int, stride: int, reach: int) -> int:
    """Every pixel within `reach` of one that is set: the union of a disk's rows, the widest in the middle.

    The gaps between rows fill with bits that mean nothing; the caller masks them out.
    """
    spread, width = bits, 0  # the pixels moved by up to `width` to either side
    grown = 0
    for up in range(reach, -1, -1):
        half = math.isqrt(reach * reach - up * up)
        for step in range(width + 1, half + 1):
            spread |= bits << step | bits >> step
        width = half
        grown |= spread << up * stride | spread >> up * stride
    return grown
