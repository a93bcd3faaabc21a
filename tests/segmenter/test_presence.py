"""A model may ask for one sure anchor before it shows anything: doubt in every frame of a chunk is no mask in any."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.config import VIRST_7B
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.segmenter.tracking_pass import FrameResult
from virst_cli.tracking.frame_selection import Plan
from virst_cli.video.video import Frame
from virst_cli.world import make_clip

SENTENCES = ["the red dog", "all the birds", "the car that stops last"]
FRAMES = [Frame(index, float(index), rgb) for index, rgb in enumerate(make_clip(5, frames=80, size=(96, 80)).frames)]
CHUNK = 40  # frames, of which 32 are anchors


def answers(folder: Path) -> list[FrameResult]:
    model = Segmenter(ModelFolder.open(folder), device=torch.device("cpu"), chunk=CHUNK)
    return list(model.stream(FRAMES, SENTENCES, expected=len(FRAMES)))


def with_rule(folder: Path, copy: Path, present_from: float) -> Path:
    """The same model with that rule."""
    shutil.copytree(folder, copy)
    config = ModelFolder.open(folder).config
    changed = replace(config, segmentation=replace(config.segmentation, present_from=present_from))
    (copy / "config.json").write_text(changed.to_json())
    return copy


def surest(found: list[FrameResult]) -> np.ndarray:
    """The highest score of an anchor, (chunks,sentences)."""
    anchors = Plan.of(CHUNK).fusion_frames
    return np.array([np.max([found[start + frame].scores for frame in anchors], axis=0) for start in (0, CHUNK)])


@pytest.fixture(scope="module")
def plain(random_model: Path) -> list[FrameResult]:
    return answers(random_model)


def test_sentences_without_a_sure_anchor_have_no_masks_and_the_others_keep_theirs(random_model, plain, tmp_path):
    best = surest(plain)
    between = float(np.sort(best.flatten())[[2, 3]].mean())
    judged = answers(with_rule(random_model, tmp_path / "model", between))
    for number, (before, after) in enumerate(zip(plain, judged, strict=True)):
        for place, sure in enumerate(best[number // CHUNK] > between):
            if sure:
                np.testing.assert_array_equal(after.masks[place], before.masks[place])
                assert after.scores[place] == before.scores[place]
            else:
                assert not after.masks[place].any()
                assert after.scores[place] <= 0


def test_a_rule_that_every_anchor_passes_changes_nothing(random_model, plain, tmp_path):
    judged = answers(with_rule(random_model, tmp_path / "model", float(surest(plain).min()) - 1))
    for before, after in zip(plain, judged, strict=True):
        np.testing.assert_array_equal(after.masks, before.masks)
        np.testing.assert_array_equal(after.scores, before.scores)


def test_the_published_model_has_no_such_rule():
    assert VIRST_7B.segmentation.present_from is None
