"""virst export-overlay: renders the masks of a run without the model."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import FRAMES, Virst
from tests.commands.running import Zygote, cold, environment
from virst_cli.video.video import Video


@pytest.fixture(scope="module")
def finished(clip: Path, seeing: Path, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert zygote.start("segment", clip, "the dog", "--model", seeing, "-f", "overlay,png", cwd=folder).wait().code == 0
    return folder


def test_the_newest_run_here_is_rendered_to_the_same_bytes(finished: Path):
    overlay = finished / "clip.virst" / "the-dog.overlay.mp4"
    before = overlay.read_bytes()
    overlay.unlink()
    done = cold("export-overlay", cwd=finished)
    assert done.code == 0, done.err
    assert done.out == "clip.virst/the-dog.overlay.mp4\n"
    assert overlay.read_bytes() == before


def test_it_does_not_import_torch(finished: Path):
    program = "import sys; from virst_cli.app import run; run(sys.argv[1:]); print('torch' in sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", program, "export-overlay", "-o", "elsewhere"]
    done = subprocess.run(command, cwd=finished, env=environment({}), capture_output=True, text=True, check=True)
    assert done.stderr == "False\n", "export-overlay imports torch: move what it needs out of the modules that do"


def test_styles_formats_and_colours(finished: Path, virst: Virst, tmp_path: Path):
    options = ["--style", "side-by-side", "--color", "orange", "--opacity", "0.8", "--no-label", "--no-audio"]
    done = virst("export-overlay", finished / "clip.virst", *options, "-f", "overlay,cutout", "-o", "new")
    assert done.code == 0, done.err
    assert done.out.splitlines() == ["new/the-dog.overlay.mp4", "new/the-dog.cutout.mov"]
    frames = list(Video.open(tmp_path / "new/the-dog.overlay.mp4").frames())
    assert len(frames) == FRAMES
    assert frames[0].rgb.shape == (64, 2 * 96, 3)


def test_files_outside_the_run_folder_are_not_overwritten_without_overwrite(finished: Path, virst: Virst):
    command = ("export-overlay", finished / "clip.virst", "-f", "mask-video", "-o", "new")
    assert virst(*command).code == 0
    refused = virst(*command)
    assert refused.code == 2
    assert "--overwrite" in refused.error
    assert virst(*command, "--overwrite").code == 0


def test_masks_from_elsewhere_are_drawn_on_their_video(finished: Path, clip: Path, virst: Virst, tmp_path: Path):
    masks = finished / "clip.virst" / "the-dog"
    done = virst("export-overlay", "--video", clip, "--masks", masks, "-f", "png")
    assert done.code == 0, done.err
    written = tmp_path / done.out.strip()
    assert sorted(path.name for path in written.iterdir()) == sorted(path.name for path in masks.iterdir())


def test_as_many_masks_as_frames_are_needed(finished: Path, clip: Path, virst: Virst, tmp_path: Path):
    masks = tmp_path / "masks"
    shutil.copytree(finished / "clip.virst" / "the-dog", masks)
    (masks / "00000.png").unlink()
    done = virst("export-overlay", "--video", clip, "--masks", masks)
    assert done.code == 2
    assert f"{FRAMES} frames" in done.error
    assert f"{FRAMES - 1} masks" in done.error


@pytest.fixture
def own(clip: Path, blind: Path, virst: Virst, tmp_path: Path) -> Path:
    """A video and its run, which a test may change."""
    shutil.copy(clip, tmp_path / "own.mp4")
    assert virst("segment", "own.mp4", "the dog", "--model", blind, "-f", "mask-video", "--end", "0.4").code == 3
    return tmp_path


def test_a_video_that_was_moved_can_be_named(own: Path, virst: Virst):
    (own / "own.mp4").rename(own / "moved.mp4")
    gone = virst("export-overlay")
    assert gone.code == 2
    assert "--video" in gone.error
    assert virst("export-overlay", "own.virst", "--video", "moved.mp4").code == 0


def test_a_video_that_was_changed_is_not_used(own: Path, virst: Virst):
    os.utime(own / "own.mp4", (1, 1))
    touched = virst("export-overlay")
    assert (touched.code, "changed since the run" in touched.error) == (2, True)
    with (own / "own.mp4").open("ab") as file:
        file.write(b"more")
    assert "another video" in virst("export-overlay", "own.virst", "--video", "own.mp4").error


def test_without_a_run_it_says_so(virst: Virst):
    done = virst("export-overlay")
    assert done.code == 2
    assert "virst segment" in done.error
