"""Masks from elsewhere score as the published evaluation scores them, and what is missing is said."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from virst_cli.bench import open_dataset, score_predictions
from virst_cli.bench.course import Progress
from virst_cli.errors import UsageError, VideoError

MINI = Path(os.environ.get("VIRST_GOLDENS", Path(__file__).parents[1] / "goldens")) / "metrics" / "mevis_mini"
EXPECTED = json.loads((MINI / "expected.json").read_text())


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(MINI / "predictions", tmp_path / "predictions"))


def rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in scores.items()}


def test_the_published_result_comes_out() -> None:
    report = score_predictions(open_dataset("mevis", MINI), MINI / "predictions")
    found = report.as_dict()
    assert rounded(found["scores"]) == EXPECTED["all"]
    assert (found["videos"], found["expressions"], found["missing"]) == (2, 5, [])
    assert (found["dataset"], found["model"], found["fps"]) == ("mevis", None, None)
    for row in report.rows:
        expected = EXPECTED["per_expression"][f"{row.video}/{row.expression}"]
        assert row.j == pytest.approx(expected["J"], abs=1e-9)
        assert row.f == pytest.approx(expected["F"], abs=1e-9)


def test_a_missing_video_counts_as_zero_and_is_listed(predictions: Path) -> None:
    video = open_dataset("mevis", MINI)[1].video
    shutil.rmtree(predictions / video)
    report = score_predictions(open_dataset("mevis", MINI), predictions)
    assert rounded(report.as_dict()["scores"]) == EXPECTED["second_video_missing"]
    assert report.missing == [video]


def test_a_missing_expression_or_frame_counts_as_zero_and_is_listed(predictions: Path) -> None:
    shutil.rmtree(predictions / "c0ffee42" / "1")
    (predictions / "7a1f0c2d" / "0" / "00001.png").unlink()  # of which the evaluation gives J = F = 1
    report = score_predictions(open_dataset("mevis", MINI), predictions)
    assert report.missing == ["7a1f0c2d/0/00001.png", "c0ffee42/1"]
    rows = {f"{row.video}/{row.expression}": row for row in report.rows}
    frames = EXPECTED["per_expression"]["7a1f0c2d/0"]
    assert rows["7a1f0c2d/0"].j == pytest.approx((sum(frames["J_frames"]) - 1) / 6)
    assert rows["7a1f0c2d/0"].f == pytest.approx((sum(frames["F_frames"]) - 1) / 6)
    assert (rows["c0ffee42/1"].j, rows["c0ffee42/1"].f) == (0.0, 0.0)
    assert rows["c0ffee42/0"].j == pytest.approx(EXPECTED["per_expression"]["c0ffee42/0"]["J"])


def test_masks_stored_as_ones_score_like_masks_stored_as_255(predictions: Path) -> None:
    for path in predictions.rglob("*.png"):
        Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    report = score_predictions(open_dataset("mevis", MINI), predictions)
    assert rounded(report.as_dict()["scores"]) == EXPECTED["all"]


def test_a_mask_of_another_size_is_refused_by_name(predictions: Path) -> None:
    Image.new("L", (80, 45)).save(predictions / "7a1f0c2d" / "2" / "00003.png")
    with pytest.raises(UsageError, match=r"7a1f0c2d/2, frame 3: the mask has 80x45 pixels, the true one 160x90"):
        score_predictions(open_dataset("mevis", MINI), predictions)


def test_a_damaged_mask_is_refused_by_name(predictions: Path) -> None:
    (predictions / "7a1f0c2d" / "2" / "00003.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match=r"00003\.png"):
        score_predictions(open_dataset("mevis", MINI), predictions)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        score_predictions(open_dataset("mevis", MINI), tmp_path / "nowhere")


def test_progress_counts_every_frame() -> None:
    told: list[Progress] = []
    score_predictions(open_dataset("mevis", MINI), MINI / "predictions", progress=told.append)
    assert [(p.video, p.frame, p.frames, p.videos_done, p.videos) for p in told] == [
        *(("7a1f0c2d", t + 1, 6, 0, 2) for t in range(6)),
        *(("c0ffee42", t + 1, 5, 1, 2) for t in range(5)),
    ]
