"""The standard protocol of Ref-DAVIS17, against its rules written out slowly."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.bench import layouts
from tests.bench.goldens import DAVIS
from tests.bench.layouts import FRAMES, NAMES, VIDEOS, answer
from virst_cli.bench import Dataset, Sample, open_dataset, score_predictions
from virst_cli.bench.annotators import FourAnnotators, has_four_per_object, merge_masks
from virst_cli.bench.metrics import boundary, region

FIRST = VIDEOS[0]


def slowly(dataset: Dataset, folder: Path) -> dict[str, float]:
    """All videos, annotator by annotator, then the mean of the four."""
    results = []
    for annotator in range(4):
        objects = [pair for i in range(len(dataset)) for pair in one_video(dataset[i], folder, annotator)]
        results.append(np.mean(objects, axis=0))
    j, f = 100 * np.mean(results, axis=0)
    return {"J": j, "F": f, "J&F": (j + f) / 2}


def one_video(sample: Sample, folder: Path, annotator: int) -> list[tuple[float, float]]:
    """J and F of every true object with the proposal that the best of all pairings gives it."""
    assert sample.labels is not None
    labels = np.stack([sample.labels[t] for t in range(len(sample.frame_names))])
    places = [f"{sample.video}/{4 * number + annotator}" for number in range(len(sample.expressions) // 4)]
    masks = np.stack([[np.asarray(Image.open(folder / p / f"{n}.png")) > 0 for n in sample.frame_names] for p in places])
    background = np.full((1, *masks.shape[1:]), 0.1)
    proposed = np.concatenate([background, masks.astype(float)]).argmax(axis=0)  # T, H, W
    true = range(1, int(labels[0][labels[0] < 255].max()) + 1)
    void = labels == 255

    def pair(truth: int, proposal: int) -> tuple[float, float]:
        a, b = (proposed == proposal) & ~void, (labels == truth) & ~void
        return float(np.mean(list(map(region, a, b)))), float(np.mean(list(map(boundary, a, b))))

    candidates = range(1, max(len(places), len(true)) + 1)
    scores = {(t, p): pair(t, p) for t in true for p in candidates}
    best = max(permutations(candidates, len(true)), key=lambda ps: sum(sum(scores[t, p]) for t, p in zip(true, ps, strict=True)))
    return [scores[t, p] for t, p in zip(true, best, strict=True)]


def found(dataset: Dataset, folder: Path) -> dict[str, float]:
    scores = score_predictions(dataset, folder).protocols["standard"]
    assert scores is not None
    return scores


def test_the_stored_predictions_score_as_by_the_rules() -> None:
    dataset = open_dataset("ref-davis17", DAVIS)
    wanted = slowly(dataset, DAVIS / "predictions")
    assert found(dataset, DAVIS / "predictions") == pytest.approx(wanted, abs=1e-9)
    assert wanted["J"] < 90  # so that there was something to get wrong


@pytest.mark.parametrize("pictures", [False, True], ids=["from the table of masks", "from annotation pictures"])
@pytest.mark.parametrize("seed", range(3))
def test_random_predictions_score_as_by_the_rules(tmp_path: Path, pictures: bool, seed: int) -> None:
    dataset = open_dataset("ref-davis17", layouts.davis(tmp_path / "data", pictures=pictures))
    masks = answer(dataset, tmp_path / "masks")
    rng = np.random.default_rng(seed)
    for path in sorted(masks.rglob("*.png")):
        moved = np.roll(np.asarray(Image.open(path)), rng.integers(-9, 10, 2), (0, 1)) * np.uint8(rng.random() < 0.8)
        Image.fromarray(moved).save(path)
    assert found(dataset, masks) == pytest.approx(slowly(dataset, masks), abs=1e-9)


def test_which_sentence_found_which_thing_does_not_matter_to_the_standard_protocol(tmp_path: Path) -> None:
    dataset = open_dataset("ref-davis17", layouts.davis(tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    for number in range(4):
        here, there = masks / FIRST / str(number), masks / FIRST / str(number + 4)
        here.rename(tmp_path / "aside")
        there.rename(here)
        (tmp_path / "aside").rename(there)
    report = score_predictions(dataset, masks)
    assert report.protocols["standard"] == {"J": 100.0, "F": 100.0, "J&F": 100.0}
    assert report.scores is not None
    assert report.scores["J"] < 60


def test_void_pixels_do_not_count(tmp_path: Path) -> None:
    dataset = open_dataset("ref-davis17", layouts.davis(tmp_path / "data", pictures=True))
    masks = answer(dataset, tmp_path / "masks")
    for path in (masks / FIRST / "0").iterdir():
        mask = np.array(Image.open(path))
        mask[:, :2] = 255  # where the annotation pictures are void
        Image.fromarray(mask).save(path)
    report = score_predictions(dataset, masks)
    assert report.protocols["standard"] == {"J": 100.0, "F": 100.0, "J&F": 100.0}
    assert min(row.j for row in report.expression_scores) < 1


def test_a_missing_mask_is_an_empty_one_here_and_the_run_has_failed_anyway(tmp_path: Path) -> None:
    dataset = open_dataset("ref-davis17", layouts.davis(tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    (masks / FIRST / "0" / f"{NAMES[0]}.png").unlink()
    report = score_predictions(dataset, masks)
    assert report.missing == [f"{FIRST}/0/{NAMES[0]}.png"]
    row = report.standard[0]
    assert (row.video, row.expression) == (FIRST, "annotator 0, object 1")
    assert row.j == pytest.approx(1 - 1 / FRAMES)


def test_more_true_things_than_proposals_leave_some_without(tmp_path: Path) -> None:
    sample = open_dataset("ref-davis17", layouts.davis(tmp_path))[0]
    assert sample.labels is not None
    four = replace(sample, expressions=sample.expressions[:4])
    annotators = FourAnnotators(four, sample.labels)
    for masks in annotators.observe([e.truth[t] for e in four.expressions] for t in range(FRAMES)):
        assert len(masks) == 4
    assert [row.j for row in annotators.scores()] == [
        1.0,
        1 / FRAMES,
    ] * 4  # the second is gone in the last frame, and so found there


def test_sentences_of_another_number_than_four_a_thing_have_no_standard_protocol() -> None:
    assert has_four_per_object(["1", "0", "3", "2"])
    for ids in (["0", "1", "2"], ["1", "2", "3", "4"], ["a", "b", "c", "d"], ["0", "0", "1", "2"]):
        assert not has_four_per_object(ids)


def test_the_first_of_several_masks_gets_a_pixel() -> None:
    masks: Sequence[NDArray[np.bool_] | None] = [np.array([[1, 0, 0]], bool), None, np.array([[1, 1, 0]], bool)]
    assert merge_masks(masks, (1, 3)).tolist() == [[1, 3, 0]]
