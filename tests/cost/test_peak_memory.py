"""What is said about memory beforehand, compared with real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.full_size import watched
from tests.commands.running import environment
from tests.small_model import middle
from virst_cli.cost.peak_memory import ATTENDED_FRAMES
from virst_cli.model.config import NEAREST_ANCHORS, POINTER_FRAMES, RECENT_FRAMES
from virst_cli.tracking.frame_selection import MAX_FUSION_FRAMES, anchor_places
from virst_cli.video.write import VideoWriter
from virst_cli.world import make_clip

WITHIN = 0.25


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of 720p."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoWriter(path, size=(1280, 720), rate=8) as writer:
        for index, image in enumerate(make_clip(7, frames=8, size=(1280, 720)).frames):
            writer.write(image, index / 8)
    return path


def predicted_and_measured(model: Path, clip: Path, out: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes at the peak of each stage. Measured: anonymous memory, and the libraries' code."""
    virst = [sys.executable, "-m", "virst_cli", "segment", str(clip), "the red dog", "--model", str(model), "--device", "cpu"]
    virst += ["-o", str(out), "--json"]
    plan = subprocess.run([*virst, "--dry-run"], stdout=subprocess.PIPE, text=True, check=True, env=environment({}))
    watch, _ = watched(virst, out / "home")
    code = watch.resident["open"] - watch.anonymous["open"]
    return json.loads(plan.stdout)["memory_by_stage"], {stage: size + code for stage, size in watch.anonymous.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nano", "middle"])
def test_the_prediction_is_within_a_quarter_of_what_is_measured(kind: str, random_model: Path, clip: Path, tmp_path: Path):
    model = random_model if kind == "nano" else middle(tmp_path / "middle")
    predicted, measured = predicted_and_measured(model, clip, tmp_path / "out")
    print({stage: (size, measured[stage]) for stage, size in predicted.items()})
    for stage, size in predicted.items():
        assert abs(size - measured[stage]) <= WITHIN * measured[stage], f"{stage}: {size} foreseen, {measured[stage]} measured"


def test_the_numbers_of_frames_are_those_of_the_tracker():
    assert ATTENDED_FRAMES == NEAREST_ANCHORS + RECENT_FRAMES
    assert POINTER_FRAMES == POINTER_FRAMES
    for per_anchor in (1, 2, 4):
        assert len(anchor_places(MAX_FUSION_FRAMES, per_anchor)) == MAX_FUSION_FRAMES // per_anchor
