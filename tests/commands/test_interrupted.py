"""virst segment, interrupted by Ctrl-C, kill or kill -9: finished frames are kept, and --resume gives the same files."""

import signal
import time
from pathlib import Path

import pytest

from tests.commands.conftest import FRAMES, Virst
from tests.commands.running import Running, Zygote, ffmpegs_of, lives, until

ASKED = ("the dog", "the red ball", "--chunk", "16", "-f", "overlay,mask-video,png")


def frames_in(folder: Path) -> int:
    try:
        return (folder / "masks.jsonl.partial").read_bytes().count(b"\n") - 1
    except OSError:
        return -1


@pytest.fixture(scope="module")
def uninterrupted(clip: Path, seeing: Path, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert zygote.start("segment", clip, *ASKED, "--model", seeing, cwd=folder).wait().code == 0
    return folder / "clip.virst"


@pytest.fixture
def halfway(clip: Path, seeing: Path, zygote: Zygote, tmp_path: Path) -> Running:
    """A run that has passed the end of its first chunk (of three)."""
    running = zygote.start("segment", clip, *ASKED, "--model", seeing, cwd=tmp_path)
    until(lambda: frames_in(tmp_path / "clip.virst") >= 20, "20 frames in the record")
    running.send(signal.SIGSTOP)
    assert frames_in(tmp_path / "clip.virst") < FRAMES, "the run is too fast to be interrupted"
    return running


def contents(folder: Path) -> dict[str, bytes]:
    """Contents of all files of a run by name, except run.json, which holds timings."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_after_kill_9_resume_gives_byte_identical_files(
    halfway: Running, uninterrupted: Path, clip: Path, seeing: Path, virst: Virst, tmp_path: Path
):
    halfway.send(signal.SIGKILL)
    assert halfway.wait().code == -signal.SIGKILL
    left = sorted(path.name for path in (tmp_path / "clip.virst").iterdir() if not path.name.startswith("."))
    assert all(name.endswith(".partial") or name == "state.safetensors" for name in left), "a broken file has a final name"

    assert "--resume" in virst("segment", clip, *ASKED, "--model", seeing).error
    other = virst("segment", clip, "the cat", "--model", seeing, "--resume")
    assert (other.code, "another" in other.error) == (2, True)  # its frames are not those of this sentence

    done = virst("segment", clip, *ASKED, "--model", seeing, "--resume")
    assert done.code == 0, done.err
    assert "propagate 14/" in done.err, "it did not continue after the first chunk"
    assert contents(tmp_path / "clip.virst") == contents(uninterrupted)


def test_a_damaged_state_means_from_the_start_and_the_same_files(
    halfway: Running, uninterrupted: Path, clip: Path, seeing: Path, virst: Virst, tmp_path: Path
):
    halfway.send(signal.SIGKILL)
    halfway.wait()
    state = tmp_path / "clip.virst" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    done = virst("segment", clip, *ASKED, "--model", seeing, "--resume")
    assert done.code == 0, done.err
    assert contents(tmp_path / "clip.virst") == contents(uninterrupted)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_two_seconds_without_orphans_and_keeps_what_is_done(
    number: signal.Signals, code: int, halfway: Running, tmp_path: Path
):
    children = ffmpegs_of(halfway.pid)
    assert children
    start_time = time.monotonic()
    halfway.send(number)
    halfway.send(signal.SIGCONT)
    done = halfway.wait()
    assert time.monotonic() - start_time < 2
    assert done.code == code
    assert done.error == "virst: error: interrupted; --resume continues where it stopped"
    assert not [child for child in children if lives(child)]
    left = sorted(path.name for path in (tmp_path / "clip.virst").iterdir())
    assert left == ["masks.jsonl.partial", "run.json.partial", "state.safetensors"]


def test_two_runs_do_not_write_into_one_folder(halfway: Running, clip: Path, seeing: Path, virst: Virst):
    second = virst("segment", clip, *ASKED, "--model", seeing, "--overwrite")
    halfway.send(signal.SIGKILL)
    halfway.wait()
    assert second.code == 2
    assert "another virst process" in second.error
