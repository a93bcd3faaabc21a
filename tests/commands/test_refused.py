"""Impossible requests: one line on stderr, the right exit code, and nothing is written."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Virst
from tests.video.making import SOUND, Maker


def _empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def _text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("This is not a video.\n" * 100)
    return folder / "text.mp4"


def _header_only(folder: Path) -> Path:
    (folder / "huge.mp4").write_bytes(b"\x7f\xff\xff\xffftypisom" + bytes(100))
    return folder / "huge.mp4"


def _sound(folder: Path) -> Path:
    return Maker(folder)("sound.mp4", *SOUND)


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def _mixed(folder: Path) -> Path:
    from PIL import Image

    (folder / "frames").mkdir()
    for number, size in enumerate([(32, 32), (32, 48)]):
        Image.new("RGB", size).save(folder / "frames" / f"{number}.png")
    return folder / "frames"


def _nothing(folder: Path) -> Path:
    return folder / "nothing.mp4"


@pytest.mark.parametrize("make", [_empty, _text, _header_only, _sound, _fifo, _mixed, _nothing])
def test_a_bad_video_is_refused_in_one_line(make: Callable[[Path], Path], blind: Path, virst: Virst, tmp_path: Path):
    video = make(tmp_path)
    done = virst("segment", video, "the dog", "--model", blind, "-o", "out")
    assert (done.code, done.out) == (2, "")
    assert video.name in done.error
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_damage_that_shows_only_later_leaves_nothing_behind(blind: Path, virst: Virst, tmp_path: Path):
    from PIL import Image

    (tmp_path / "frames").mkdir()
    for number in range(3):
        Image.effect_noise((32, 32), 99).save(tmp_path / "frames" / f"{number}.png")
    whole = (tmp_path / "frames" / "2.png").read_bytes()
    (tmp_path / "frames" / "2.png").write_bytes(whole[:300])
    done = virst("segment", "frames", "the dog", "--model", blind, "-q")
    assert done.code == 2
    assert "2.png" in done.error
    assert not (tmp_path / "frames.virst").exists()


@pytest.mark.parametrize(
    "sentence", ["", "   ", "dog " * 2500, "the \x07 dog", "the [SEG] dog", "<image>", "the dog <|im_end|>"], ids=repr
)
def test_a_bad_sentence_is_refused_in_one_line(sentence: str, clip: Path, blind: Path, virst: Virst, tmp_path: Path):
    done = virst("segment", clip, sentence, "--model", blind, "-o", "out")
    assert (done.code, done.out) == (2, "")
    assert "sentence" in done.error
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bogus"], "--bogus"),
        (["--format", "gif"], "gif"),
        (["--start", "soon"], "HH:MM:SS"),
        (["--start", "2", "--end", "1"], "--end 1"),
        (["--start", "100"], "--start 100"),
        (["--chunk", "0"], "--chunk"),
        (["--chunk", "many"], "--chunk"),
        (["--dtype", "int3"], "int3"),
        (["--device", "abacus"], "--device cpu"),
    ],
    ids=str,
)
def test_a_wrong_option_is_a_usage_error(options: list[str], said: str, clip: Path, blind: Path, virst: Virst, tmp_path: Path):
    done = virst("segment", clip, "the dog", "--model", blind, "-o", "out", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.error
    assert not (tmp_path / "out").exists()


def test_a_mistyped_command_suggests_the_right_one(virst: Virst):
    done = virst("segmnet", "video.mp4", "the dog")
    assert done.code == 2
    assert "Did you mean 'segment'?" in done.error


def test_missing_weights_are_exit_code_4_and_say_how_to_get_them(clip: Path, virst: Virst):
    done = virst("segment", clip, "the dog", "--model", "virst-7b")
    assert done.code == 4
    assert "virst weights pull virst-7b" in done.error


def test_one_flipped_byte_in_the_weights_is_exit_code_4_and_named(clip: Path, blind: Path, virst: Virst, tmp_path: Path):
    import shutil

    model = shutil.copytree(blind, tmp_path / "flipped")
    data = bytearray((model / "model.safetensors").read_bytes())
    data[-1000] ^= 1
    (model / "model.safetensors").write_bytes(data)
    done = virst("segment", clip, "the dog", "--model", model, "-o", "out", "-q")
    assert done.code == 4
    for said in ("model.safetensors", "expected sha256", "got"):
        assert said in done.error
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_exit_code_5():
    from virst_cli.commands.failures import report_error

    assert report_error(OSError(errno.ENOSPC, "No space left on device", "masks.jsonl")) == 5


def test_a_bug_is_one_line_and_a_traceback_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from virst_cli.commands.failures import report_error

    assert report_error(ZeroDivisionError("a\nb")) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "this is a bug" in printed
    monkeypatch.setenv("VIRST_DEBUG", "1")
    assert report_error(ZeroDivisionError("a")) == 1
    assert capsys.readouterr().err.count("ZeroDivisionError") == 2


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")], ids=repr
)
def test_out_of_memory_says_how_much_there_was_and_what_helps(error: BaseException, capsys: pytest.CaptureFixture[str]):
    from virst_cli.commands.failures import report_error

    assert report_error(error) == 5
    printed = capsys.readouterr().err
    for part in ("peak", "free", "--dtype bfloat16"):
        assert part in printed
