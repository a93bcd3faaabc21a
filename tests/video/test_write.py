"""Videos out: exact, whole, or not there."""

import signal
import subprocess
import sys
import textwrap
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.video.making import FAST, SMALL
from tests.video.test_frames import alive, children
from virst_cli.errors import DiskFull, OutputError
from virst_cli.video.ffmpeg import binary
from virst_cli.video.header import read_header
from virst_cli.video.video import Video
from virst_cli.video.write import VideoWriter

FILM = Fraction(24000, 1001)


def write(path, images, *, rate=FILM, pixels="rgb", times=None, **options):
    height, width = images[0].shape[:2]
    if "audio" in options:
        options["audio"] = Video.open(options["audio"]).audio(options.get("start", 0.0))
    with VideoWriter(path, size=(width, height), rate=rate, pixels=pixels, **options) as video:
        for i, image in enumerate(images):
            video.write(image, times[i] if times else float(i / rate))
    return path


def noise(*shape, count=5):
    random = np.random.default_rng(0)
    return list(random.integers(0, 2, (count, *shape), np.uint8) * 255)


def copy(source, target, **options):
    """Writes a video's frames again, with their times."""
    video, start, end = Video.open(source), options.get("start", 0.0), options.get("end")
    size = (video.info.width, video.info.height)
    audio = video.audio(start, end) if "audio" in options else None
    with VideoWriter(target, size=size, rate=video.info.rate, audio=audio, start=start) as writer:
        for frame in video.frames(start, end):
            writer.write(frame.rgb, frame.time)
    return target


def names(folder):
    return [path.name for path in folder.iterdir()]


def sound(path):
    """Loudness of every millisecond, from the start of the file."""
    command = [binary(), "-v", "error", "-i", str(path), "-map", "0:a", "-af", "aresample=async=1:first_pts=0"]
    raw = subprocess.run([*command, "-ac", "1", "-ar", "48000", "-f", "f32le", "-"], check=True, capture_output=True)
    samples = np.abs(np.frombuffer(raw.stdout, np.float32))
    return samples[: len(samples) // 48 * 48].reshape(-1, 48).max(axis=1)


@pytest.mark.parametrize("size", [(96, 64), (853, 479), (1, 1), (2, 3), (7, 2)])
def test_a_mask_comes_back_exactly(tmp_path, size):
    masks = noise(*size[::-1])
    back = list(Video.open(write(tmp_path / "a.mp4", masks, pixels="gray")).frames())
    assert len(back) == len(masks)
    for frame, mask in zip(back, masks, strict=True):
        assert ((frame.rgb >= 128) == (mask >= 128)[..., None]).all()


@pytest.mark.parametrize("size", [(64, 48), (853, 479), (1, 1)])
def test_no_size_is_rounded(tmp_path, size):
    path = write(tmp_path / "a.mp4", noise(*size[::-1], 3))
    info = Video.open(path).info
    assert (info.width, info.height, info.frames) == (*size, 5)


def test_colours_come_back_nearly(tmp_path):
    picture = np.full((48, 64, 3), (224, 64, 32), np.uint8)
    back = next(Video.open(write(tmp_path / "a.mp4", [picture])).frames())
    assert np.abs(back.rgb.astype(int) - picture).max() <= 3


def test_even_sizes_play_everywhere_and_start_before_they_are_loaded(tmp_path):
    path = write(tmp_path / "a.mp4", noise(48, 64, 3))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    log = subprocess.run([binary(), "-i", str(path)], capture_output=True, text=True, check=False).stderr
    assert "h264 (High)" in log
    assert "yuv420p(tv, bt709" in log


def test_alpha_survives(tmp_path):
    images = [np.dstack([np.full((49, 63, 3), 200, np.uint8), np.tile(np.uint8([0, 128, 255]), (49, 21))])] * 3
    path = write(tmp_path / "a.mov", images, pixels="rgba")
    command = [binary(), "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    back = np.frombuffer(raw, np.uint8).reshape(49, 63, 4).astype(int)
    assert np.abs(back - images[0]).max() <= 3


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "25", "24", "120000/1001", "15/2"])
@pytest.mark.parametrize(("pixels", "name"), [("rgb", "a.mp4"), ("rgba", "a.mov")])
def test_a_constant_rate_stays_exactly_what_it_is(tmp_path, rate, pixels, name):
    rate = Fraction(rate)
    images = [np.zeros((16, 16, {"rgb": 3, "rgba": 4}[pixels]), np.uint8)] * 40
    path = write(tmp_path / name, images, rate=rate, pixels=pixels)
    assert Video.open(path).info.rate == rate
    assert [frame.time for frame in Video.open(path).frames()] == [float(i / rate) for i in range(40)]
    assert b"stts" + bytes(4) + (1).to_bytes(4, "big") in path.read_bytes()  # one entry: all frames are equally long


def test_times_rounded_to_milliseconds_become_exact_again(tmp_path, clips):
    path = copy(clips["mkv"], tmp_path / "a.mp4")
    assert [frame.time for frame in Video.open(path).frames()] == [float(i / FILM) for i in range(48)]


def test_a_varying_rate_is_kept_frame_for_frame(make, tmp_path):
    source = make("in.mp4", *SMALL, "-vf", "select='lt(n,12)+not(mod(n,5))'", "-fps_mode", "passthrough", *FAST)
    before = [frame.time for frame in Video.open(source).frames()]
    after = [frame.time for frame in Video.open(copy(source, tmp_path / "a.mp4")).frames()]
    assert len(before) == 19
    assert after == pytest.approx(before, abs=1e-3)


def test_irregular_times_are_kept_to_the_millisecond(tmp_path):
    times = [0.0, 0.0301, 0.0333, 0.5, 0.501, 1.77777, 60.0, 3600.123]
    path = write(tmp_path / "a.mp4", noise(16, 16, 3, count=8), times=times)
    assert [frame.time for frame in Video.open(path).frames()] == pytest.approx(times, abs=1e-3)


def test_a_first_frame_that_comes_late_stays_late(tmp_path):
    path = write(tmp_path / "a.mp4", noise(16, 16, 3), times=[0.25, 0.29, 0.33, 0.37, 0.41], rate=Fraction(25))
    assert read_header(path).start == Fraction(1, 4)
    assert [frame.time for frame in Video.open(path).frames()] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-6)


@pytest.fixture(scope="module")
def beep(tmp_path_factory):
    """Three seconds of black and silence, but for a white flash and a beep from 1.5 s to 1.7 s."""
    path = tmp_path_factory.mktemp("beep") / "beep.mp4"
    flash = "color=black:s=64x48:r=25:d=3,drawbox=c=white:t=fill:enable='between(t,1.5,1.69)',format=yuv420p"
    tone = "aevalsrc='if(between(t,1.5,1.7),sin(6283*t),0)':s=48000:d=3"
    inputs = ["-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", tone]
    subprocess.run([binary(), "-v", "error", *inputs, *FAST, "-g", "50", "-c:a", "aac", str(path)], check=True)
    return path


def events(path):
    """When the flash and the beep begin, in seconds."""
    flash = next(frame.time for frame in Video.open(path).frames() if frame.rgb.mean() > 128)
    return flash, int(np.argmax(sound(path) > 0.3)) / 1000


CODECS = {"mp4": "copy", "ts": "copy", "mkv": "libvorbis", "avi": "pcm_s16le"}


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize(("start", "end"), [(0, None), (1, None), (0.7, 2.5)])
def test_sound_is_carried_over_in_step(make, tmp_path, beep, suffix, start, end):
    source = make(f"in.{suffix}", "-i", str(beep), "-c:v", "copy", "-c:a", CODECS[suffix])
    path = copy(source, tmp_path / "a.mp4", audio=source, start=start, end=end)
    (flash, beep), (white, loud) = events(source), events(path)
    assert white == pytest.approx(flash - start, abs=1e-3)
    assert loud == pytest.approx(beep - start, abs=2e-3)
    assert len(sound(path)) / 1000 == pytest.approx((end or 3) - start, abs=0.08)


def test_sound_that_fits_is_copied_and_other_is_encoded(make, tmp_path, clips):
    assert read_header(copy(clips["mkv"], tmp_path / "a.mp4", audio=clips["mkv"])).audio_codec == "aac"
    mp3 = make("in.mkv", "-i", str(clips["mp4"]), "-c:v", "copy", "-c:a", "libmp3lame")
    assert read_header(copy(mp3, tmp_path / "b.mp4", audio=mp3)).audio_codec == "mp3"
    vorbis = make("in2.mkv", "-i", str(clips["mp4"]), "-c:v", "copy", "-c:a", "libvorbis")
    assert read_header(copy(vorbis, tmp_path / "c.mp4", audio=vorbis)).audio_codec == "aac"


def test_a_source_without_sound_or_a_folder_gives_a_silent_video(make, tmp_path):
    silent = make("in.mp4", *SMALL, *FAST)
    assert not Video.open(write(tmp_path / "a.mp4", noise(16, 16, 3), audio=silent)).info.has_audio
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "0.png")
    assert not Video.open(write(tmp_path / "b.mp4", noise(16, 16, 3), audio=folder)).info.has_audio


def test_a_range_beyond_the_sound_is_written_all_the_same(tmp_path, beep):
    path = write(tmp_path / "a.mp4", noise(16, 16, 3), times=[10, 11, 12, 13, 14], audio=beep, start=10)
    assert Video.open(path).info.frames == 5


def test_the_sound_of_a_truncated_file_is_carried_as_far_as_it_goes(make, tmp_path, clips):
    cut = make.cut(clips["mkv"], 0.6)
    path = write(tmp_path / "a.mp4", noise(16, 16, 3), audio=cut)
    assert Video.open(path).info.has_audio


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("old")
    with VideoWriter(path, size=(16, 16), rate=FILM) as video:
        video.write(np.zeros((16, 16, 3), np.uint8), 0)
        assert path.read_text() == "old"
        assert (tmp_path / "a.mp4.partial").exists()
    assert Video.open(path).info.frames == 1
    assert names(tmp_path) == ["a.mp4"]


def test_an_exception_leaves_nothing_behind(tmp_path):
    before = children()
    with pytest.raises(IndexError):
        write(tmp_path / "a.mp4", noise(16, 16, 3), times=[0, 1, 2])  # none for the fourth
    assert names(tmp_path) == []
    assert children() == before


def test_a_link_in_the_place_of_the_partial_file_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.mp4.partial").symlink_to(tmp_path / "precious")
    write(tmp_path / "a.mp4", noise(16, 16, 3))
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("name", ["-y.mp4", "http:a.mp4", "a%03d.mp4", "new\nline.mp4", "quo'te.mp4"])
def test_any_name_is_just_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(Path(name), noise(16, 16, 3))
    assert names(tmp_path) == [name]


def test_a_frame_of_the_wrong_shape_or_type_is_an_error(tmp_path):
    for image in (np.zeros((16, 16), np.uint8), np.zeros((8, 16, 3), np.uint8), np.zeros((16, 16, 3), bool)):
        with (
            pytest.raises(ValueError, match="a frame of"),
            VideoWriter(tmp_path / "a", size=(16, 16), rate=FILM) as video,
        ):
            video.write(image, 0)
    assert names(tmp_path) == []


def test_a_frame_need_not_be_contiguous(tmp_path):
    image = np.zeros((16, 32, 3), np.uint8)[:, ::2]
    assert Video.open(write(tmp_path / "a.mp4", [image])).info.width == 16


def test_a_video_without_frames_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="no frames"):
        VideoWriter(tmp_path / "a.mp4", size=(16, 16), rate=FILM).close()
    assert names(tmp_path) == []


def test_a_folder_that_is_missing_or_a_file_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for folder in ("missing", "file", "nul\0"):
        with pytest.raises(OutputError, match="can't be written"):
            VideoWriter(tmp_path / folder / "a.mp4", size=(16, 16), rate=FILM)


FULL = """
    import resource, sys
    from fractions import Fraction
    from pathlib import Path
    import numpy as np
    from virst_cli.errors import DiskFull
    from virst_cli.video.write import VideoWriter
    path, limit, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    try:
        with VideoWriter(path, size=(64, 64), rate=Fraction(25)) as video:
            for i in range(count):
                video.write(np.roll(noise, i), i / 25)
    except DiskFull as error:
        print(type(error).__name__, str(error).count(chr(10)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs file size limits")
@pytest.mark.parametrize(("limit", "count"), [(20_000, 300), (2_000, 20), (0, 1)])
def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path, limit, count):
    arguments = [str(tmp_path / "a.mp4"), str(limit), str(count)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.strip() == "DiskFull 0"
    assert names(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("count", [40, 300])  # full at the end, when all has been sent, and on the way
def test_a_full_disk_is_an_error_and_leaves_no_file(small_disk, count):
    images = list(np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8))
    with pytest.raises(DiskFull, match="no room"):
        write(small_disk / "a.mp4", images)
    assert names(small_disk) == []


INTERRUPTED = """
    import sys
    from fractions import Fraction
    from pathlib import Path
    import numpy as np
    from virst_cli.video.write import VideoWriter
    with VideoWriter(Path(sys.argv[1]), size=(320, 240), rate=Fraction(25)) as video:
        for i in range(100_000):
            video.write(np.zeros((240, 320, 3), np.uint8), i / 25)
            if i == 30:
                print(video._child._process.pid, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ffmpeg_ends_with_python_and_no_file_gets_its_name(tmp_path, how):
    python = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(tmp_path / "a.mp4")],
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
    left = names(tmp_path)
    assert left == ([] if how == signal.SIGINT else ["a.mp4.partial"])
