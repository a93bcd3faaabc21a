"""A stored mask is the same mask in whatever form a PNG can hold it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from virst_cli.bench.mask_png import read_cropped_mask, read_mask
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


@pytest.mark.parametrize("mode", ["L", "palette", "RGB"])
def test_pieces_of_any_size_and_a_comment_change_nothing(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 16)
    mask = np.random.default_rng(0).random((200, 300)) < 0.5
    note = PngInfo()
    note.add_text("Comment", "by hand")
    path = tmp_path / "mask.png"
    stored_as(mode, mask).save(path, pnginfo=note)
    assert path.read_bytes().count(b"IDAT") > 1
    assert np.array_equal(read_mask(path), mask)


def test_a_jpeg_by_the_name_of_a_png_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.full((16, 24), 255, np.uint8)).save(path, format="JPEG")
    assert np.array_equal(read_mask(path), np.ones((16, 24), bool))


def test_only_the_part_that_holds_a_mask_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    stored_as("L", MASK).save(path)
    cut = read_cropped_mask(path)
    assert (cut.shape, cut.top, cut.left, cut.box.shape) == (MASK.shape, 3, 5, (6, 25))


@pytest.mark.parametrize("broken", ["cut short", "other size", "no pixels", "empty", "text"])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(path)
    whole = path.read_bytes()
    other = whole.replace(struct.pack(">II", 40, 40), struct.pack(">II", 40, 80))
    damaged = {
        "cut short": whole[:-300],
        "other size": other,
        "no pixels": whole[: whole.index(b"IDAT") - 4] + whole[-12:],
        "empty": b"",
        "text": b"a mask",
    }
    path.write_bytes(damaged[broken])
    with pytest.raises(VideoError, match=r"mask\.png"):
        read_mask(path)


def test_a_picture_of_more_pixels_than_any_video_has_is_refused_and_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.new("L", (4, 4)).save(path)
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    path.write_bytes(path.read_bytes()[:12] + header + struct.pack(">I", zlib.crc32(header)) + path.read_bytes()[33:])
    with pytest.raises(VideoError, match=r"mask\.png.*pixels"):
        read_mask(path)
