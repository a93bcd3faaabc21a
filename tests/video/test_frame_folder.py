"""A folder of pictures is read as a video."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from virst_cli.errors import VideoError
from virst_cli.video.video import Video


def fill(folder, names, size=(6, 4)):
    """Pictures of one grey level each: 10, 20, 30 ..."""
    for level, name in enumerate(names, 1):
        Image.new("RGB", size, (level * 10,) * 3).save(folder / name)


def levels(folder, **bounds):
    return [int(frame.rgb[0, 0, 0]) for frame in Video.open(folder).frames(**bounds)]


def test_frames_come_in_the_order_of_the_first_number_in_their_names(tmp_path):
    fill(tmp_path, ["f10_1.png", "f9_5.png", "f0100_0.png", "b10.png", "cover.png"])
    assert levels(tmp_path) == [50, 20, 40, 10, 30]


def test_frames_are_a_24th_of_a_second_apart(tmp_path):
    fill(tmp_path, ["0.png", "1.png", "2.png"])
    assert [frame.time for frame in Video.open(tmp_path).frames()] == [0, 1 / 24, 2 / 24]


def test_a_range_is_cut_out_by_time(tmp_path):
    fill(tmp_path, [f"{i}.png" for i in range(6)])
    assert levels(tmp_path, start=1 / 24, end=4 / 24) == [20, 30, 40]
    assert [frame.index for frame in Video.open(tmp_path).frames(start=0.1)] == [0, 1, 2]


def test_mixed_sizes_are_refused_and_both_files_named(tmp_path):
    fill(tmp_path, ["1.png", "2.png"])
    fill(tmp_path, ["3.png"], size=(8, 4))
    for reading in (lambda: Video.open(tmp_path).info, lambda: list(Video.open(tmp_path).frames())):
        with pytest.raises(VideoError, match=r"1\.png is 6x4, 3\.png is 8x4"):
            reading()


def test_an_exif_rotation_is_not_applied(tmp_path):
    picture = Image.new("RGB", (6, 4))
    exif = picture.getexif()
    exif[0x0112] = 6  # orientation: a quarter turn
    picture.save(tmp_path / "1.jpg", exif=exif)
    assert next(Video.open(tmp_path).frames()).rgb.shape == (4, 6, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_rgb(tmp_path, mode):
    if mode == "I;16":
        picture = Image.fromarray(np.full((4, 6), 200 * 256, np.uint16))
    else:
        picture = Image.new("L", (6, 4), 255 if mode == "1" else 200).convert(mode)
    picture.save(tmp_path / "1.png")
    frame = next(Video.open(tmp_path).frames())
    assert frame.rgb.dtype == np.uint8
    assert frame.rgb.shape == (4, 6, 3)
    assert (frame.rgb == (255 if mode == "1" else 200)).all()


def test_a_picture_may_be_written_into(tmp_path):
    fill(tmp_path, ["1.png"])
    assert next(Video.open(tmp_path).frames()).rgb.flags.writeable  # torch.from_numpy warns otherwise


def bomb(width, height):
    """A PNG that claims a size and holds nothing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


@pytest.mark.parametrize("size", [(10_000, 10_000), (50_000, 50_000), (20_000, 2), (0, 5)])
def test_an_image_bomb_is_refused(tmp_path, size):
    (tmp_path / "1.png").write_bytes(bomb(*size))
    with pytest.raises(VideoError, match=r"1\.png"):
        Video.open(tmp_path)


def test_other_formats_under_the_name_of_png_are_refused(tmp_path):
    Image.new("RGB", (6, 4)).save(tmp_path / "1.png", format="GIF")
    with pytest.raises(VideoError, match="neither JPEG nor PNG"):
        Video.open(tmp_path)


def test_a_damaged_picture_is_named_after_the_good_ones(tmp_path):
    fill(tmp_path, ["1.jpg", "2.jpg"], size=(64, 64))
    data = (tmp_path / "2.jpg").read_bytes()
    (tmp_path / "2.jpg").write_bytes(data[: len(data) - 40])
    frames = Video.open(tmp_path).frames()
    next(frames)
    with pytest.raises(VideoError, match=r"2\.jpg"):
        next(frames)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(VideoError, match="holds no frames"):
        Video.open(tmp_path)


def test_a_folder_called_like_a_frame_is_refused(tmp_path):
    (tmp_path / "1.png").mkdir()
    with pytest.raises(VideoError, match="not a regular file"):
        Video.open(tmp_path)
