"""A stored mask is the same mask in whatever form a PNG can hold it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from virst_cli.bench.mask_file import read_mask
from virst_cli.errors import VideoError

MASK = np.zeros((20, 31), bool)
MASK[3:9, 5:30] = True
MASK[8, 7] = False


def stored_as(mode: str, mask: NDArray[np.bool_]) -> Image.Image:
    if mode == "palette":  # as DAVIS stores objects; the colour of number 2 is black here, and it is an object all the same
        picture = Image.fromarray(mask * np.uint8(2)).convert("P")
        picture.putpalette([255, 255, 255] + 255 * [0, 0, 0])
        return picture
    if mode == "ones":
        return Image.fromarray(mask.astype(np.uint8))
    if mode == "16 bits":
        return Image.fromarray(mask * np.uint16(3))
    if mode == "RGBA":  # an opaque picture, where only blue tells
        channels = [np.zeros_like(mask), np.zeros_like(mask), mask, np.ones_like(mask)]
        return Image.fromarray(np.stack(channels, axis=2) * np.uint8(255))
    return Image.fromarray(mask * np.uint8(255)).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "ones", "palette", "16 bits", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("mask", [MASK, ~MASK, np.zeros_like(MASK), np.ones_like(MASK)], ids=["some", "inverse", "none", "all"])
def test_a_mask_reads_alike_in_every_form(tmp_path: Path, mode: str, mask: NDArray[np.bool_]) -> None:
    path = tmp_path / "mask.png"
    stored_as(mode, mask).save(path)
    read = read_mask(path)
    assert read.dtype == np.bool_
    assert np.array_equal(read, mask)


def test_what_is_no_picture_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(VideoError, match=r"mask\.png"):
        read_mask(path)
