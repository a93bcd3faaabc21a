"""J and F are the published evaluators', on stored pairs and against the rules written out slowly."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from virst_cli.bench.metrics import CroppedMask, boundary, j_and_f, radius, region

Mask = NDArray[np.bool_]

GOLDENS = Path(os.environ.get("VIRST_GOLDENS", Path(__file__).parents[1] / "goldens")) / "metrics"
PAIRS = json.loads((GOLDENS / "pairs.json").read_text())


def mask_of(name: str) -> Mask:
    with Image.open(GOLDENS / "pairs" / name) as picture:
        return np.asarray(picture) > 0


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['id']}-{pair['kind']}")
def test_j_and_f_are_the_published_ones(pair: dict[str, float]) -> None:
    truth, prediction = mask_of(f"{pair['id']}_gt.png"), mask_of(f"{pair['id']}_pred.png")
    assert radius(*truth.shape) == pair["boundary_radius"]
    assert region(prediction, truth) == pytest.approx(pair["J"], abs=1e-9)
    assert boundary(prediction, truth) == pytest.approx(pair["F"], abs=1e-9)
    assert j_and_f(prediction, truth) == (region(prediction, truth), boundary(prediction, truth))


Box = tuple[float, float, float, float]  # top, left, height, width, as shares of the frame
SIDES = st.integers(1, 60)
SIZES = st.tuples(SIDES, SIDES) | st.tuples(st.integers(1, 4), st.integers(500, 2500))  # the long ones: radii up to 20
SHARES = st.floats(0, 1, width=16)
BOXES = st.lists(st.tuples(SHARES, SHARES, SHARES, SHARES), max_size=4)
WHOLE: Box = (0, 0, 1, 1)


@settings(max_examples=300, deadline=None)
@given(size=SIZES, turned=st.booleans(), guess=BOXES, true=BOXES)
@example(size=(9, 12), turned=False, guess=[WHOLE], true=[])
@example(size=(9, 12), turned=False, guess=[WHOLE], true=[WHOLE, (0.5, 0.5, 0, 0)])
@example(size=(1, 1), turned=False, guess=[WHOLE], true=[])
@example(size=(3, 2500), turned=True, guess=[(0, 0, 1, 0)], true=[(0, 0.0078, 1, 0)])
def test_j_and_f_are_the_rules_written_out(size: tuple[int, int], turned: bool, guess: list[Box], true: list[Box]) -> None:
    prediction, truth = (drawn(size, boxes).T if turned else drawn(size, boxes) for boxes in (guess, true))
    either = np.count_nonzero(prediction | truth)
    j = np.count_nonzero(prediction & truth) / either if either else 1.0
    assert region(prediction, truth) == j
    assert boundary(prediction, truth) == pytest.approx(slow_boundary(prediction, truth), abs=1e-12)
    cut, whole = CroppedMask.of(prediction), np.asarray(CroppedMask.of(prediction))
    assert np.array_equal(whole, prediction) and whole.dtype == np.bool_
    assert cut.any() == prediction.any()
    assert j_and_f(cut, truth) == j_and_f(prediction, truth) == (j, boundary(prediction, truth))


@pytest.mark.parametrize("seed", range(12))
def test_ragged_masks_in_large_frames_score_by_the_rules_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(200, 500, 2))
    prediction, truth = blob(rng, height, width), blob(rng, height, width)
    assert boundary(prediction, truth) == pytest.approx(slow_boundary(prediction, truth), abs=1e-12)


def test_masks_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="different sizes"):
        j_and_f(np.zeros((4, 5), bool), np.zeros((5, 4), bool))


def test_two_empty_masks_agree_fully() -> None:
    empty = np.zeros((4, 5), bool)
    assert (region(empty, empty), boundary(empty, empty)) == (1.0, 1.0)


def test_a_mask_where_nothing_is_gets_nothing() -> None:
    empty = np.zeros((40, 50), bool)
    found = empty.copy()
    found[10:20, 10:20] = True
    assert (region(found, empty), boundary(found, empty)) == (0.0, 0.0)
    assert (region(empty, found), boundary(empty, found)) == (0.0, 0.0)


def test_a_mask_that_fills_the_frame_has_no_outline() -> None:
    full = np.ones((40, 50), bool)
    assert boundary(full, ~full) == 1.0
    assert boundary(full, full) == 1.0


def drawn(size: tuple[int, int], boxes: list[Box]) -> Mask:
    """A mask of a size: inside an odd number of boxes. A box of no height or width is still a row or a column."""
    height, width = size
    mask = np.zeros(size, bool)
    for top, left, down, right in boxes:
        y, x = int(top * (height - 1)), int(left * (width - 1))
        mask[y : y + 1 + int(down * height), x : x + 1 + int(right * width)] ^= True
    return mask


def blob(rng: np.random.Generator, height: int, width: int) -> Mask:
    """A disk somewhere, often cut off by the frame, with some loose pixels."""
    y, x = np.mgrid[:height, :width]
    disk = np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width)) < rng.uniform(0, height)
    loose: Mask = disk ^ (rng.random((height, width)) < rng.choice([0, 0, 0.001, 0.2]))
    return loose


def slow_boundary(prediction: Mask, truth: Mask) -> float:
    """F as spec/datasets.md section 5 puts it, step by step."""
    height, width = truth.shape
    p, t = slow_outline(prediction), slow_outline(truth)
    reach = math.ceil(0.008 * math.sqrt(height**2 + width**2))
    if not p.any() or not t.any():
        return float(p.any() == t.any())
    precision = (p & slow_dilated(t, reach)).sum() / p.sum()
    recall = (t & slow_dilated(p, reach)).sum() / t.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def slow_outline(m: Mask) -> Mask:
    east, south, southeast = np.zeros_like(m), np.zeros_like(m), np.zeros_like(m)
    east[:, :-1] = m[:, 1:]
    south[:-1] = m[1:]
    southeast[:-1, :-1] = m[1:, 1:]
    found = (m ^ east) | (m ^ south) | (m ^ southeast)
    found[-1] = m[-1] ^ east[-1]
    found[:, -1] = m[:, -1] ^ south[:, -1]
    found[-1, -1] = False
    return found


def slow_dilated(m: Mask, reach: int) -> Mask:
    height, width = m.shape
    wide = np.pad(m, reach)
    grown = np.zeros_like(m)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            if x * x + y * y <= reach * reach:
                grown |= wide[reach + y : reach + y + height, reach + x : reach + x + width]
    return grown
