"""The frames of a video: all of them, with their times, and never in silence when some are missing."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.video.making import FAST, SMALL, Maker
from virst_cli.errors import VideoError
from virst_cli.video.video import TruncatedVideo, Video

STEP = Fraction(1001, 24000)


def times(path, **bounds):
    return [frame.time for frame in Video.open(path).frames(**bounds)]


def frames_until_it_breaks(path):
    """The frames before the error, and the error."""
    frames = []
    with pytest.raises(TruncatedVideo) as caught:
        frames.extend(Video.open(path).frames())  # extend keeps what came before the error
    return frames, caught.value


def children():
    """Processes that this one has started and that are still there, zombies included."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.append(int(status.parent.name))
    return found


def alive(process):
    """Whether a process runs. A zombie doesn't: it waits for whoever inherited it to take note of its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_every_frame_comes_with_its_time(clips):
    assert times(clips["mp4"]) == [float(i * STEP) for i in range(48)]


def test_frames_are_numbered_arrays_of_the_size_shown(clips):
    frames = list(Video.open(clips["mp4"]).frames())
    assert [frame.index for frame in frames] == list(range(48))
    assert all(frame.rgb.shape == (48, 64, 3) and frame.rgb.dtype == np.uint8 for frame in frames)
    assert frames[0].rgb.flags.writeable  # torch.from_numpy warns otherwise


def test_times_stay_exact_after_an_hour(make):
    clip = make("a.mkv", "-f", "lavfi", "-i", "color=s=16x16:r=1/600:d=7200", *FAST)
    assert times(clip) == [600.0 * i for i in range(12)]


def test_a_varying_rate_is_kept_frame_for_frame(make):
    kept = [n for n in range(48) if n < 12 or n % 4 == 0]
    clip = make("a.mp4", *SMALL, "-vf", "select='lt(n,12)+not(mod(n,4))'", "-fps_mode", "passthrough", *FAST)
    assert times(clip) == pytest.approx([float(n * STEP) for n in kept], abs=1e-3)


def test_times_count_from_the_start_of_the_source(clips):
    found = times(clips["ts"])  # the clock of a transport stream starts at 1.4 s, here with the sound
    assert 0 <= found[0] < 0.05
    assert np.diff(found) == pytest.approx([float(STEP)] * 47, abs=1e-4)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_range_holds_the_frames_from_start_up_to_before_end(clips, suffix):
    every = times(clips[suffix])
    start, end = every[17], every[30]
    found = list(Video.open(clips[suffix]).frames(start=start, end=end))
    assert [frame.time for frame in found] == every[17:30]
    assert [frame.index for frame in found] == list(range(13))


def test_a_range_far_into_the_file_holds_the_same_frames(make):
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=25")
    clip = make("a.mp4", *source, "-c:v", "libx264", "-bf", "3", "-g", "40", "-pix_fmt", "yuv420p")
    every = list(Video.open(clip).frames())
    late = list(Video.open(clip).frames(start=22.5))
    assert [frame.time for frame in late] == [frame.time for frame in every[225:]]
    assert all((a.rgb == b.rgb).all() for a, b in zip(late, every[225:], strict=True))


@pytest.mark.parametrize(("start", "end"), [(-1, None), (1, 1), (1, 0.5), (50, None), (float("nan"), None)])
def test_an_empty_range_is_refused(clips, start, end):
    with pytest.raises(VideoError):
        list(Video.open(clips["mp4"]).frames(start=start, end=end))


def corner(path):
    return next(Video.open(path).frames()).rgb[:4, :4].reshape(-1, 3).mean(axis=0)


COLOURS = [
    ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p")),
    ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv444p")),
    ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p10le")),
    ("mp4", ("-vf", "scale=out_color_matrix=bt709", "-c:v", "libx264", "-colorspace", "bt709", "-pix_fmt", "yuv420p")),
    ("mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv444p16le")),
    ("mov", ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")),
    ("mov", ("-c:v", "qtrle", "-pix_fmt", "argb")),
    ("avi", ("-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj420p")),
]


@pytest.mark.parametrize(("suffix", "codec"), COLOURS)
def test_colours_survive_every_kind_of_pixel(make, suffix, codec):
    clip = make(f"a.{suffix}", "-f", "lavfi", "-i", "color=0xE04020:s=32x32:r=10:d=0.3,format=gbrp", *codec)
    assert corner(clip) == pytest.approx([0xE0, 0x40, 0x20], abs=3)


def test_a_turned_phone_video_is_turned_upright(make):
    picture = ("-f", "lavfi", "-i", "color=black:s=64x48:d=0.2,drawbox=w=32:h=48:c=white:t=fill,format=yuv420p")
    flat = make("flat.mp4", *picture, *FAST)  # white on the left
    turned = make("turned.mp4", "-display_rotation", "-90", "-i", str(flat), "-c", "copy")  # a quarter turn clockwise
    rgb = next(Video.open(turned).frames()).rgb
    assert rgb.shape == (64, 48, 3)
    assert rgb[:28].min() > 240  # white on the top
    assert rgb[36:].max() < 15


def test_pixels_that_are_not_square_are_made_square(make):
    assert next(Video.open(make("a.mp4", *SMALL, "-vf", "setsar=4/3", *FAST)).frames()).rgb.shape == (48, 85, 3)


@pytest.mark.parametrize(("width", "height"), [(853, 479), (1, 1), (1, 7), (2, 2)])
def test_odd_and_tiny_sizes_come_out_as_they_are(make, width, height):
    source = ("-f", "lavfi", "-i", f"color=s={width}x{height}:d=0.1")
    clip = make("a.mkv", *source, "-c:v", "png")
    assert [frame.rgb.shape for frame in Video.open(clip).frames()] == [(height, width, 3)] * 3


def test_a_size_that_changes_midway_is_scaled_to_the_first(make):
    small = make("1.h264", *SMALL, *FAST)
    large = make("2.h264", *SMALL, "-vf", "scale=128:96", *FAST)
    both = make.folder / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    assert {frame.rgb.shape for frame in Video.open(both).frames()} == {(48, 64, 3)}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("part", [0.53, 0.81])
def test_a_truncated_file_yields_its_good_frames_and_then_says_so(make, clips, suffix, part):
    whole = list(Video.open(clips[suffix]).frames())
    frames, error = frames_until_it_breaks(make.cut(clips[suffix], part))
    assert error.frames == len(frames)
    assert 48 * part * 0.6 < len(frames) < 48
    good = len(frames) - 1  # the last may be half there
    assert all((a.rgb == b.rgb).all() for a, b in zip(frames[:good], whole[:good], strict=True))
    assert "\n" not in str(error)


def test_damage_in_the_middle_is_told_after_the_last_frame(make, clips):
    data = bytearray(clips["mp4"].read_bytes())
    begin = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[begin : begin + 4000] = bytes(4000)
    clip = make.folder / "a.mp4"
    clip.write_bytes(data)
    frames, _ = frames_until_it_breaks(clip)
    assert frames[-1].time > 1.8


def test_fewer_frames_than_claimed_are_told(make, clips):
    data = bytearray(clips["mp4"].read_bytes())
    at = data.index(b"stsz")
    assert int.from_bytes(data[at + 12 : at + 16], "big") == 48
    data[at + 12 : at + 16] = (60).to_bytes(4, "big")  # ffmpeg takes the smaller number without a word
    clip = make.folder / "a.mp4"
    clip.write_bytes(data)
    frames, error = frames_until_it_breaks(clip)
    assert error.frames == len(frames)


def test_a_range_that_ends_before_the_damage_is_whole(make, clips):
    cut = make.cut(clips["mp4"], 0.8)
    assert len(times(cut, end=0.5)) == 12


def test_what_is_no_video_is_refused_before_the_first_frame(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("no video\n" * 1000)
    with pytest.raises(VideoError):
        next(Video.open(path).frames())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_closing_early_ends_ffmpeg_at_once(make):
    clip = make("a.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x480:rate=30:duration=4", *FAST)
    before = children()
    frames = Video.open(clip).frames()
    next(frames)
    assert len(children()) == len(before) + 1
    begin = time.monotonic()
    frames.close()
    assert time.monotonic() - begin < 1
    assert children() == before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_a_whole_read_leaves_no_process_behind(clips):
    before = children()
    list(Video.open(clips["mp4"]).frames())
    assert children() == before


INTERRUPTED = """
    import sys, time
    from pathlib import Path
    from tests.video.test_frames import children
    from virst_cli.video.video import Video
    frames = Video.open(Path(sys.argv[1])).frames()
    next(frames)
    print(*children(), flush=True)
    if sys.argv[2] == 'reading':
        for frame in frames: pass
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    source = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30:duration=40")
    return Maker(tmp_path_factory.mktemp("long"))("a.mp4", *source, *FAST)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("doing", ["reading", "waiting"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ffmpeg_ends_with_python_however_that_ends(long_clip, doing, how):
    python = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(long_clip), doing],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with python:
        child = int(python.stdout.readline())
        python.send_signal(how)
        begin = time.monotonic()
        python.wait(5)
        while alive(child):
            assert time.monotonic() - begin < 2, "ffmpeg is still there"
            time.sleep(0.02)


NTSC = ("-f", "lavfi", "-i", "testsrc2=s=160x120:r=30000/1001", "-t", "1")
CONTAINERS = {
    "mpg": ("-c:v", "mpeg2video"), "vob": ("-c:v", "mpeg2video"), "ts": FAST, "mp4": FAST, "mov": FAST, "mkv": FAST, "flv": FAST,
    "nut": ("-c:v", "mpeg4"), "avi": ("-c:v", "mpeg4"), "mxf": ("-c:v", "mpeg2video"), "webm": ("-c:v", "libvpx"),
}  # fmt: skip


def test_the_first_frame_of_an_mpeg_program_stream_is_there(make):
    """Its clock starts at 0.533366..., of which ffmpeg prints 0.533367."""
    found = times(make("a.mpg", *NTSC, "-c:v", "mpeg2video"))
    assert (len(found), found[0]) == (30, 0.0)
    assert found[1] == pytest.approx(1001 / 30000, abs=1e-4)


@pytest.mark.parametrize("suffix", CONTAINERS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.integers(0, 3_000_000).map(lambda number: number / 1_000_000))
def test_no_frame_is_lost_wherever_the_clock_starts(make, suffix, offset):
    found = times(make(f"a.{suffix}", *NTSC, *CONTAINERS[suffix], "-output_ts_offset", f"{offset:.6f}"))
    assert len(found) == 30
    assert found[0] == pytest.approx(0, abs=1e-3)  # Matroska and FLV round to milliseconds
    assert all(later > earlier for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_a_range_holds_the_frame_at_its_start_and_not_the_one_at_its_end(make, suffix):
    clip = make(f"a.{suffix}", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10", "-t", "2", *FAST, "-output_ts_offset", "0.123457")
    assert times(clip, start=1.0, end=1.2) == pytest.approx([1.0, 1.1], abs=1e-6)
    assert len(times(clip, start=0.3, end=0.7)) == 4
