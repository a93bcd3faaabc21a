"""What a video is, and which files are none."""

import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests.video.making import FAST, SMALL, SOUND
from virst_cli.errors import VideoError
from virst_cli.video.video import Video


def refusal(path):
    """The message with which a file is refused: one line, and soon."""
    begin = time.monotonic()
    with pytest.raises(VideoError) as caught:
        Video.open(path)
    assert time.monotonic() - begin < 5
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_clip_is_described_exactly(clips):
    info = Video.open(clips["mp4"]).info
    assert (info.width, info.height, info.rate, info.frames) == (64, 48, Fraction(24000, 1001), 48)
    assert info.has_audio
    assert info.duration == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60000/1001", "25", "24", "50", "15/2"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_frame_rate_is_an_exact_fraction(make, rate, suffix):
    clip = make(f"a.{suffix}", "-f", "lavfi", "-i", f"color=s=16x16:r={rate}:d=1", *FAST)
    assert Video.open(clip).info.rate == Fraction(rate)


def test_a_varying_rate_is_described_by_its_average(make):
    clip = make("a.mp4", *SMALL, "-vf", "select='lt(n,12)+not(mod(n,4))'", "-fps_mode", "passthrough", *FAST)
    info = Video.open(clip).info
    assert info.frames == 12 + 9
    assert 9 < info.rate < 12


def test_no_frames_are_claimed_where_the_container_claims_none(clips):
    assert Video.open(clips["mkv"]).info.frames is None
    assert Video.open(clips["ts"]).info.frames is None


def test_frames_hidden_by_an_edit_list_are_not_claimed(make, clips):
    shortened = make("a.mp4", "-ss", "0.7", "-i", str(clips["mp4"]), "-c", "copy")
    assert Video.open(shortened).info.frames is None


def test_frames_stored_out_of_order_are_all_claimed(make):
    clip = make("a.mp4", *SMALL, "-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p")
    assert Video.open(clip).info.frames == 48


def test_a_clip_in_fragments_claims_no_frames(make, clips):
    clip = make("a.mp4", "-i", str(clips["mp4"]), "-c", "copy", "-movflags", "+frag_keyframe+empty_moov")
    assert Video.open(clip).info.frames is None


@pytest.mark.parametrize(("turn", "size"), [("90", (48, 64)), ("180", (64, 48)), ("-90", (48, 64))])
def test_a_turned_phone_video_has_the_size_it_is_shown_with(make, clips, turn, size):
    clip = make("a.mp4", "-display_rotation", turn, "-i", str(clips["mp4"]), "-c", "copy")
    info = Video.open(clip).info
    assert (info.width, info.height) == size


def test_pixels_that_are_not_square_widen_the_picture(make):
    clip = make("a.mp4", *SMALL, "-vf", "setsar=4/3", *FAST)
    info = Video.open(clip).info
    assert (info.width, info.height) == (85, 48)


def test_an_odd_size_stays_odd(make):
    clip = make("a.mkv", "-f", "lavfi", "-i", "color=s=853x479:d=0.1", "-c:v", "ffv1", "-pix_fmt", "yuv444p")
    info = Video.open(clip).info
    assert (info.width, info.height) == (853, 479)


def test_one_frame_of_one_pixel_is_a_video(make):
    clip = make("a.mkv", "-f", "lavfi", "-i", "color=s=1x1", "-frames:v", "1", "-c:v", "ffv1", "-pix_fmt", "yuv444p")
    info = Video.open(clip).info
    assert (info.width, info.height) == (1, 1)


def test_of_two_equal_videos_in_a_file_the_larger_is_taken(make):
    two = ("-f", "lavfi", "-i", "color=s=16x16:d=1", "-f", "lavfi", "-i", "color=s=32x32:r=10:d=1")
    info = Video.open(make("a.mp4", *two, "-map", "0", "-map", "1", *FAST, "-disposition:v", "default")).info
    assert (info.width, info.frames) == (32, 10)


NAMES = ["-i.mp4", "http:a.mp4", "concat:a|b.mp4", "quo'te\".mp4", "new\nline.mp4", " a b.mp4", "%03d.mp4", "ünï😀.mp4"]


@pytest.mark.parametrize("name", [*NAMES, "a\n[info]   Duration: 00:00:01.00, start: 5\n[info]   Stream #0:0: Video.mp4"])
def test_any_name_is_just_a_name(make, clips, monkeypatch, name):
    monkeypatch.chdir(make.folder)
    Path(name).write_bytes(clips["mp4"].read_bytes())
    assert Video.open(Path(name)).info.frames == 48


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_refused_in_one_line(make, monkeypatch, name):
    monkeypatch.chdir(make.folder)
    Path(name).write_text("no video")
    refusal(Path(name))


def test_a_missing_file_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "a.mp4")


def test_a_name_that_no_file_can_have_is_refused():
    assert "can't be read" in refusal(Path("a\0.mp4"))
    assert "can't be read" in refusal(Path("a" * 300))


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    assert "empty" in refusal(path)


def test_text_called_mp4_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("Dear diary,\n" * 1000)
    assert "not a video" in refusal(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mp3", "wav"])
def test_sound_alone_is_refused(make, suffix):
    assert "sound" in refusal(make(f"a.{suffix}", *SOUND))


def test_sound_with_a_cover_is_refused(make):
    cover = make("cover.png", *SMALL, "-frames:v", "1")
    inputs = (*SOUND, "-i", str(cover), "-map", "0", "-map", "1")
    song = make("a.m4a", *inputs, "-c:v", "copy", "-disposition:v", "attached_pic")
    assert "the file has sound but no video" in refusal(song)


def test_a_single_picture_is_refused(make):
    assert "picture" in refusal(make("a.png", *SMALL, "-frames:v", "1"))


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_list_of_other_files_is_refused(make, clips, name):
    target = f"file:{clips['ts']}"
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{target}'\n",
    ):
        (make.folder / name).write_text(text)
        assert "a list of other files" in refusal(make.folder / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert "not a regular file" in refusal(tmp_path / "a.mp4")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_is_refused():
    assert "not a regular file" in refusal(Path("/dev/zero"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(make, clips):
    path = make("a.mp4", "-i", str(clips["mp4"]), "-c", "copy")
    path.chmod(0)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize(
    "head",
    [
        b"YUV4MPEG2 W60000 H60000 F25:1 Ip A1:1 C420\nFRAME\n",
        b"GIF89a" + b"\xff" * 4 + b"\0\0\0,\0\0\0\0" + b"\xff" * 4,
    ],
    ids=["y4m", "gif"],
)
def test_an_absurd_size_in_the_header_is_refused(tmp_path, head):
    path = tmp_path / "a.mp4"
    path.write_bytes(head + b"\0" * 10_000)
    refusal(path)


def test_a_pixel_aspect_that_blows_the_picture_up_is_refused(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W128 H2 F25:1 Ip A200:1 C420\nFRAME\n" + bytes(128 * 2 * 3 // 2))
    assert "a size of 25600x2 pixels is not plausible" in refusal(path)


def test_an_mp4_whose_index_is_cut_off_is_refused(make):
    clip = make("a.mp4", *SMALL, *FAST)  # the index stands at the end
    assert "moov atom not found" in refusal(make.cut(clip, 0.6))


def test_a_folder_of_frames_is_a_video(tmp_path):
    for name in ("2.png", "10.jpg", "1.jpeg", ".hidden.png"):
        Image.new("RGB", (7, 5)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a frame")
    info = Video.open(tmp_path).info
    assert (info.width, info.height, info.rate, info.frames, info.has_audio) == (7, 5, 24, 3, False)


def test_importing_the_package_brings_in_neither_torch_nor_pillow():
    code = "import sys, virst_cli.video.video, virst_cli.video.write, virst_cli.tracking.frame_selection\n"
    code += "print([m for m in ('torch', 'PIL', 'imageio_ffmpeg') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout.strip() == "[]"
