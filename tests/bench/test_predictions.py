"""A folder of predictions: what is missing, of another size, damaged or extra is listed by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bench import layouts
from tests.bench.goldens import MEVIS, expected
from tests.bench.layouts import FRAMES, HEIGHT, NAMES, VIDEOS, WIDTH, answer
from virst_cli.bench import Dataset, open_dataset, score_predictions
from virst_cli.bench.selection import BenchProgress
from virst_cli.errors import UsageError

FIRST, SECOND = VIDEOS


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return open_dataset("mevis", layouts.mevis(tmp_path / "data"))


@pytest.fixture
def masks(dataset: Dataset, tmp_path: Path) -> Path:
    """The true masks, for a test to damage."""
    return answer(dataset, tmp_path / "masks")


def test_what_is_missing_is_listed_by_its_largest_part_and_costs_the_whole_sentence(dataset: Dataset, masks: Path) -> None:
    (masks / FIRST / "0" / f"{NAMES[1]}.png").unlink()
    shutil.rmtree(masks / FIRST / "2")
    report = score_predictions(dataset, masks)
    assert report.missing == [f"{FIRST}/0/{NAMES[1]}.png", f"{FIRST}/2"]
    assert {(row.video, row.expression) for row in report.expression_scores if row.j == 0.0} == {(FIRST, "0"), (FIRST, "2")}
    assert {(row.j, row.f) for row in report.expression_scores} == {(0.0, 0.0), (1.0, 1.0)}
    assert not any(row.empty for row in report.expression_scores if row.j == 0.0)
    shutil.rmtree(masks / FIRST)
    assert score_predictions(dataset, masks).missing == [FIRST]


def test_a_mask_of_another_size_is_listed_with_both_sizes(dataset: Dataset, masks: Path) -> None:
    Image.new("L", (WIDTH, HEIGHT - 6)).save(masks / SECOND / "1" / f"{NAMES[3]}.png")
    report = score_predictions(dataset, masks)
    assert report.missing == [f"{SECOND}/1/{NAMES[3]}.png: {WIDTH}x{HEIGHT - 6} pixels, the video has {WIDTH}x{HEIGHT}"]
    assert [(row.video, row.expression) for row in report.expression_scores if row.j == 0.0] == [(SECOND, "1")]


def test_a_damaged_mask_is_listed(dataset: Dataset, masks: Path) -> None:
    (masks / SECOND / "1" / f"{NAMES[3]}.png").write_bytes(b"no picture")
    report = score_predictions(dataset, masks)
    (line,) = report.missing
    assert line.startswith(f"{SECOND}/1/{NAMES[3]}.png: ")
    assert [(row.video, row.expression) for row in report.expression_scores if row.j == 0.0] == [(SECOND, "1")]


def test_what_belongs_to_no_frame_is_named_and_changes_nothing(dataset: Dataset, masks: Path) -> None:
    before = score_predictions(dataset, masks)
    assert before.extra == []
    Image.new("L", (WIDTH, HEIGHT)).save(masks / FIRST / "0" / "99999.png")
    (masks / FIRST / "7").mkdir()
    (masks / "okapi").mkdir()
    (masks / "run.json").write_text("{}")  # of a folder that we filled ourselves
    report = score_predictions(dataset, masks)
    assert report.extra == [f"{FIRST}/0/99999.png", f"{FIRST}/7", "okapi"]
    assert (report.expression_scores, report.missing) == (before.expression_scores, [])
    part = score_predictions(dataset, masks, limit=1)  # does not know which other videos there are
    assert part.extra == [f"{FIRST}/0/99999.png", f"{FIRST}/7"]


def test_masks_stored_as_ones_score_like_masks_stored_as_255(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(MEVIS / "predictions", tmp_path / "predictions"))
    for path in copy.rglob("*.png"):
        Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    scores = score_predictions(open_dataset("mevis", MEVIS), copy).scores
    assert scores is not None
    assert {name: round(value, 2) for name, value in scores.items()} == expected(MEVIS)["all"]


def test_a_missing_folder_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        score_predictions(dataset, tmp_path / "nowhere")


def test_progress_counts_every_frame(dataset: Dataset, masks: Path) -> None:
    progress: list[BenchProgress] = []
    score_predictions(dataset, masks, progress=progress.append)
    assert [(p.video, p.frame, p.frames, p.videos_done, p.videos) for p in progress] == [
        *((FIRST, t + 1, FRAMES, 0, 2) for t in range(FRAMES)),
        *((SECOND, t + 1, FRAMES, 1, 2) for t in range(FRAMES)),
    ]
