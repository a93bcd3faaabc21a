"""Peak memory does not grow with the video: 2,000 frames within 5% of 200, as the operating system sees it."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from virst_cli.video.write import VideoWriter
from virst_cli.world import make_clip

pytestmark = pytest.mark.slow


def peak(folder: Path, model: Path, frames: int) -> int:
    """Peak resident bytes of a whole `virst segment` over a video of that many frames."""
    clip = make_clip(7, frames=50, size=(96, 64)).frames
    video = folder / f"{frames}.mp4"
    with VideoWriter(video, size=(96, 64), rate=Fraction(25)) as writer:
        for index in range(frames):
            writer.write(clip[index % len(clip)], index / 25)
    command = [
        sys.executable,
        "-m",
        "virst_cli",
        "segment",
        str(video),
        "the red dog",
        "--model",
        str(model),
        "-o",
        str(folder),
    ]
    done = subprocess.run([*command, "--json", "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout)["peak_memory_bytes"]


def test_two_thousand_frames_take_the_memory_of_two_hundred(tmp_path, random_model, record_property):
    short, long = peak(tmp_path, random_model, 200), peak(tmp_path, random_model, 2000)
    record_property("peak bytes of 200 and 2,000 frames", (short, long))
    print(f"peak of 200 frames {short / 1e6:.0f} MB, of 2,000 frames {long / 1e6:.0f} MB")
    assert long <= 1.05 * short
