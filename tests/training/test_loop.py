"""The loop: every stage runs, an interrupted run resumes to the same losses, and what comes out is a model that loads."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.config import VIRST_NANO
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.seg_model import SegModel
from virst_cli.model.virst import Virst
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.training.data import WorldClips
from virst_cli.training.loop import LOG, Trainer
from virst_cli.training.recipe import JOIN, RECIPE, SEE, SHARPEN, BatchShape
from virst_cli.training.save_model import save_model
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.training.world_teacher import from_nothing
from virst_cli.world import make_clip, vocabulary

pytestmark = pytest.mark.slow
SHORT = tuple(
    replace(stage, steps=2, batches=(BatchShape(1, 8, 2, 1),)) for stage in RECIPE if stage.objective.value == stage.name
)


def trainer(folder: Path, recipe=SHORT, num_workers: int = 0) -> Trainer:
    torch.set_num_threads(1)
    prompts = PromptBuilder(word_tokenizer(vocabulary()))
    source = WorldClips(prompts, 128)
    return Trainer(from_nothing(VIRST_NANO, prompts, 3), source, prompts, recipe, folder, seed=3, num_workers=num_workers)


def logged(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_an_interrupted_run_resumes_to_the_same_losses_and_weights(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("virst_cli.training.loop.LOG_EVERY", 1)
    # on a busy machine ffmpeg returns other pixels about once in 600 compressed clips; here it is the trainer that must be exact
    monkeypatch.setattr("virst_cli.training.data.COMPRESSED", 0.0)
    whole = trainer(tmp_path / "whole")
    assert whole.run()
    for _ in range(2 * len(SHORT)):  # stopped after every single step
        broken = trainer(tmp_path / "broken")
        if broken.run(until=0.0):
            break
    assert logged(tmp_path / "whole") == logged(tmp_path / "broken")
    for name, value in trainer(tmp_path / "broken").teacher.state_dict().items():
        torch.testing.assert_close(value, whole.teacher.state_dict()[name], rtol=0, atol=0)


def test_batches_that_other_processes_draw_are_the_same(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("virst_cli.training.loop.LOG_EVERY", 1)
    assert trainer(tmp_path / "here", SHORT[:2]).run()
    assert not trainer(tmp_path / "there", SHORT[:2], num_workers=2).run(until=0.0)  # with batches drawn that nobody takes
    assert trainer(tmp_path / "there", SHORT[:2], num_workers=2).run()
    assert logged(tmp_path / "here") == logged(tmp_path / "there")


def test_a_stage_changes_only_what_it_trains(tmp_path):
    made = trainer(tmp_path, recipe=(SHORT[-1],))  # propagate
    before = {name: value.clone() for name, value in made.teacher.state_dict().items()}
    made.run()
    changed = {name for name, value in made.teacher.state_dict().items() if not torch.equal(value, before[name])}
    assert any("memory_attention" in name for name in changed)
    assert not any("language_model" in name or "vision" in name or "image_encoder" in name for name in changed)


def test_propagation_is_taught_before_the_first_anchor_and_after_the_last_too(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """As in use, where anchors lie in the middle of their shares of a video."""
    asked: list[tuple[int, list[int]]] = []
    propagate = SegModel.propagate

    def noted(model: SegModel, features, frame, anchors, *rest):
        asked.append((frame, sorted(anchors)))
        return propagate(model, features, frame, anchors, *rest)

    monkeypatch.setattr(SegModel, "propagate", noted)
    trainer(tmp_path, recipe=(replace(SHORT[-1], steps=6, batches=(BatchShape(1, 16, 1, 0),)),)).run()
    assert any(frame < anchors[0] for frame, anchors in asked)
    assert any(frame > anchors[-1] for frame, anchors in asked)
    assert len({len(anchors) for _, anchors in asked}) > 1


def test_twenty_steps_make_the_losses_fall(tmp_path):
    made = trainer(tmp_path, recipe=(replace(SEE, steps=20, batches=(BatchShape(2, 8, 2, 2),)),))
    made.run()
    first, last = logged(tmp_path)
    assert last["tower"] < first["tower"]
    assert last["mask"] < first["mask"]


@pytest.mark.parametrize(("halves", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_halves_are_for_processors_that_have_them(tmp_path, monkeypatch: pytest.MonkeyPatch, halves: bool, dtype: torch.dtype):
    monkeypatch.setattr("virst_cli.training.loop.cpu_has_bfloat16", lambda: halves)
    made = trainer(tmp_path, recipe=(replace(SEE, steps=1, batches=(BatchShape(1, 8, 2, 1),)),))
    seen = []
    made.model.fusion.seg_prompter.seg_proj.register_forward_hook(lambda _, __, out: seen.append(out.dtype))
    made.run()
    assert set(seen) == {dtype}


def test_the_export_is_a_model_folder_that_answers_as_the_trainer_does(tmp_path):
    made = trainer(tmp_path / "state", recipe=(replace(JOIN, steps=1, batches=(BatchShape(1, 8, 2, 1),)),))
    made.run()
    folder = ModelFolder.open(save_model(made, tmp_path / "model"))
    folder.verify()
    assert folder.config == VIRST_NANO
    loaded = folder.build(lambda: Virst(VIRST_NANO), "", device="cpu", dtype=torch.float32)
    for name, value in made.model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4)
    frames = list(make_clip(1).frames)
    assert len(list(Segmenter(folder, device=torch.device("cpu")).segment_frames(frames, ["the dog"]))) == len(frames)


def test_rates_warm_up_hold_and_fall_and_weights_fade():
    rates = [SHARPEN.lr_at(step) for step in range(SHARPEN.steps)]
    assert rates[0] < rates[60] == SHARPEN.lr == rates[SHARPEN.steps // 2]
    assert rates[-1] < 0.01 * SHARPEN.lr
    assert JOIN.weights_at(JOIN.steps)["attention"] == pytest.approx(0.3 * JOIN.losses["attention"])
