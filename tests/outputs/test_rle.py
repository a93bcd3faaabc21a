"""A mask is decoded as it was encoded, and text that is not a mask is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pycocotools import mask as coco

from virst_cli.errors import OutputError
from virst_cli.outputs import rle

MASKS = npst.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@given(MASKS)
def test_every_mask_comes_back_as_it_was(mask):
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own, in its decode
@given(MASKS)
def test_coco_reads_the_same_mask(mask):
    assert np.array_equal(coco.decode(rle.encode(mask)).astype(bool), mask)


@pytest.mark.parametrize("shape", [(1, 1), (479, 853), (1080, 1920), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_masks_of_any_size_come_back(shape, value):
    mask = np.full(shape, value)
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


def test_a_noisy_large_mask_comes_back():
    mask = np.random.default_rng(0).random((479, 853)) > 0.5
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@given(MASKS, st.data())
def test_text_that_was_cut_or_changed_is_refused_or_still_a_mask_of_its_size(mask, data):
    whole = rle.encode(mask)
    at = data.draw(st.integers(0, len(whole["counts"]) - 1))
    other = data.draw(st.text(max_size=3))
    for counts in (whole["counts"][:at], whole["counts"][:at] + other, whole["counts"] + other):
        try:
            decoded = rle.decode({"size": whole["size"], "counts": counts})
        except OutputError:
            continue
        assert decoded.shape == mask.shape


@pytest.mark.parametrize("size", [None, [], [4], [4, 4, 4], [0, 4], [-4, -4], [4.0, 4], [True, True], "44", [1 << 20] * 2])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(OutputError):
        rle.decode({"size": size, "counts": "0"})


@pytest.mark.parametrize(
    "counts", [None, "", 5, b"0", "~" * 30, "P", "P1", "\x00", "é", "0", "1" * 99, "ooooooooo0", "PPPPPPPPPPPP0"]
)
def test_wrong_counts_are_refused(counts):
    with pytest.raises(OutputError):
        rle.decode({"size": [4, 4], "counts": counts})


@pytest.mark.parametrize("value", [None, 3, "text", []])
def test_anything_but_an_rle_is_refused(value):
    with pytest.raises(OutputError):
        rle.decode(value)
