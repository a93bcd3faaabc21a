"""The recipe's first minutes, by the command that a user would type: the losses fall, and masks are better than guesses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from virst_cli.training import losses
from virst_cli.training.loop import LOG
from virst_cli.training.recipe import SEE
from virst_cli.training.setup import TrainingJob

STEPS = 180

pytestmark = pytest.mark.slow


def largest_object(batches: int = 8) -> float:
    """J of who always answers with the largest object, on the questions of the first stage."""
    trainer = TrainingJob(Path(), seed=1).trainer()
    clips, frames, sentences, _ = SEE.batch_at(0)
    found = []
    for number in range(batches):
        batch = trainer.source([(1, number)], clips=clips, frames=frames, sentences=sentences, types=SEE.types_at(0))
        targets, _ = trainer.teacher._coded(batch, torch.Generator().manual_seed(number))
        largest = torch.nn.functional.one_hot(batch.cover.sum((1, 2)).argmax(-1), batch.cover.shape[-1]).bool()  # B,K
        clip = torch.arange(clips).repeat_interleave(frames * sentences)
        query = torch.arange(sentences).repeat_interleave(frames).repeat(clips)
        time = torch.arange(frames).repeat(clips * sentences)
        truth, guess = batch.masks(clip, time, targets[clip, query]), batch.masks(clip, time, largest[clip])
        actual = losses.candidate_ious(guess[:, None] - 0.5, truth)
        found.append(losses.region_similarity(torch.ones(len(guess), 1), actual, truth).item())
    return sum(found) / len(found)


def test_the_first_minutes_of_the_recipe_beat_the_largest_object(tmp_path):
    command = [
        "train",
        "--stage",
        "see",
        "--effort",
        str(STEPS / SEE.steps),
        "--workers",
        "1",
        "--output",
        str(tmp_path / "nano"),
    ]
    subprocess.run([sys.executable, "-m", "virst_cli", *command], check=True)
    rows = [json.loads(line) for line in (tmp_path / "nano.training" / LOG).read_text().splitlines()]
    first, last, baseline = rows[0], rows[-1], largest_object()
    print({name: (first[name], last[name]) for name in ("loss", "mask", "tower", "J")}, baseline)
    assert last["step"] == STEPS
    assert last["loss"] < 0.6 * first["loss"]
    assert last["mask"] < 0.5 * first["mask"]
    assert last["tower"] < 0.8 * first["tower"]
    assert last["J"] > baseline > first["J"]
