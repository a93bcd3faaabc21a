"""Do the parts earn their place? The paper's ablations on virst-nano, at a smaller budget.

    python tests/benchmarks/ablations.py FOLDER [--start TRAINING.pt] [--effort 0.1] [--videos 48]
    python tests/benchmarks/ablations.py FOLDER --finished TRAINING.pt [--effort 0.1] [--videos 48]
    python tests/benchmarks/ablations.py --anchors MODEL [--videos 48]

The first form trains variants in FOLDER and scores them on held-out clips of the synthetic world. They share what the
alignment has made (the recipe's stages see, read and understand), trained here or taken from a training's state with --start;
then each goes through join, sharpen and propagate with `effort` of their steps. *think*, the longest, is left out of all. A
stopped run goes on where it was. The second form takes the second fusion out of the model at the end of a training, which then
gets `effort` of sharpen to do without, and sharpens the whole model as long. The third scores one model with other numbers of
anchors.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

import virst_cli
from virst_cli.bench import run_benchmark
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.model.config import VIRST_NANO, VirstConfig
from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.data import WorldClips
from virst_cli.training.loop import STATE, Trainer
from virst_cli.training.recipe import JOIN, PROPAGATE, READ, SEE, SHARPEN, UNDERSTAND, TrainingStage, scaled
from virst_cli.training.save_model import save_model
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.training.world_teacher import from_nothing
from virst_cli.world import vocabulary

SEED = 2000
FRAMES = 32  # of the clips with more and fewer anchors: all are fusion frames
ALIGN, MASKS, MEMORY = (SEE, READ, UNDERSTAND), (JOIN, SHARPEN), (PROPAGATE,)
# without the score that an anchor must have: it was found for virst-nano's own weights
WHOLE = replace(VIRST_NANO, segmentation=replace(VIRST_NANO.segmentation, present_from=None))
# prompts then are the [SEG] states through one linear layer, the same for every frame
NO_FUSION = replace(WHOLE, segmentation=replace(WHOLE.segmentation, prompter_layers=0))

Variant = tuple[str, VirstConfig, tuple[TrainingStage, ...], Path | None]  # name, model, stages, state that it begins with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--start", type=Path)
    parser.add_argument("--finished", type=Path)
    parser.add_argument("--effort", type=float, default=0.1)
    parser.add_argument("--videos", type=int, default=48)
    parser.add_argument("--anchors", metavar="MODEL")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.anchors:
        anchors(asked.anchors, asked.videos)
    elif asked.finished:
        again = scaled((SHARPEN,), asked.effort)
        table = (("whole-again", WHOLE, again, asked.finished), ("fusion-taken-out", NO_FUSION, again, asked.finished))
        variants(asked.folder, table, asked.videos)
    else:
        variants(asked.folder, from_alignment(asked.folder, asked.start, asked.effort), asked.videos)


def from_alignment(folder: Path, start: Path | None, effort: float) -> Iterator[Variant]:
    """The variants that go through what comes after the alignment."""
    if start is None:
        trained(folder / "start", WHOLE, scaled(ALIGN, effort), None)
        start = folder / "start" / STATE
    masks, memory = scaled(MASKS, effort), scaled(MEMORY, effort)
    yield "without-stage-3", WHOLE, masks, start
    yield "whole", WHOLE, memory, folder / "without-stage-3" / STATE
    yield "without-fusion", NO_FUSION, masks + memory, start
    yield "without-stage-1", WHOLE, masks + memory, None


def variants(folder: Path, table: Iterable[Variant], videos: int) -> None:
    """Train the variants, score each."""
    for name, config, recipe, begin in table:
        model = folder / f"{name}.model"
        if not model.exists():
            save_model(trained(folder / name, config, recipe, begin), model)
        report(name, model, WorldSet(videos=videos, seed=SEED))


def trained(folder: Path, config: VirstConfig, recipe: tuple[TrainingStage, ...], start: Path | None) -> Trainer:
    """A trainer at the end of a recipe that began with the weights of a state, as far as the variant has such parts."""
    prompts = PromptBuilder(word_tokenizer(vocabulary()))
    teacher = from_nothing(config, prompts, 0)
    if start is not None:
        mine, weights = teacher.state_dict(), torch.load(start, map_location="cpu", weights_only=True)["teacher"]
        teacher.load_state_dict({name: weights[name] for name in mine})
    trainer = Trainer(teacher, WorldClips(prompts, config.segmentation.image_size), prompts, recipe, folder)
    trainer.run(lambda p: print(folder.name, p.stage, p.step, p.steps, {k: round(v, 3) for k, v in p.losses.items()}, flush=True))
    return trainer


def anchors(model: str, videos: int) -> None:
    """One model with its anchors chosen otherwise."""
    for name, count in (("first frame only", 1), ("3 anchors", 3), ("8 anchors, as published", 8), ("every frame", FRAMES)):

        def chosen(frames: int, per_anchor: int, count: int = count) -> list[int]:
            return [round(place) for place in np.linspace(0, frames - 1, min(count, frames)).tolist()]

        with patch("virst_cli.tracking.frame_selection.anchor_places", chosen):
            report(name, model, WorldSet(videos=videos, seed=SEED, frames=FRAMES))


def report(name: str, model: str | Path, dataset: WorldSet) -> None:
    """One line of the table."""
    found = run_benchmark(dataset, virst_cli.load(model, device="cpu"), name=name).as_dict()
    by_type = "  ".join(f"{kind} {scores['J&F']:.1f}" for kind, scores in found["by_type"].items())
    print(f"{name}: J&F {found['scores']['J&F']:.1f}  ({by_type})", flush=True)


if __name__ == "__main__":
    main()
