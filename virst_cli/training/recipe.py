"""The training recipe: its stages, what each stage trains, and the weight of each loss.

The learning rate is constant after a short warm-up. Only some stages end with a cosine: in the others the
model is still learning when they end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from torch import nn

from virst_cli.errors import UsageError
from virst_cli.world import TYPES

MASK_WEIGHTS = {"mask": 2.0, "iou": 0.5, "object": 1.0, "prompt": 1.0, "match": 0.5}
UNDERSTANDING_WEIGHTS = {
    "words": 0.3, "heat": 1.0, "point": 0.4, "moment": 0.4, "exists": 0.5, "target": 0.3,
    "vocabulary": 0.3, "dense": 0.3, "tower": 0.5,
}  # fmt: skip
WARM_UP = 50  # steps
SLOW_LR_SCALE = 0.3  # lr of a stage's `slow` parameters, as a share of the stage's lr

SAM_ENCODER = ("fusion.seg_model.image_encoder",)
TOWER = (  # without its trunk, which it shares with SAM 2's image encoder during training
    "vision.vision_tower.patch_embed.proj",
    "vision.vision_tower.patch_embed.motion",
    "vision.vision_tower.blocks",
    "vision.vision_tower.vision_layernorm",
)
SAM_DECODER = ("fusion.seg_model.sam_mask_decoder", "fusion.seg_model.sam_prompt_encoder", "fusion.seg_model.no_mem_embed")
SAM_MEMORY = (
    "fusion.seg_model.memory_attention",
    "fusion.seg_model.memory_encoder",
    "fusion.seg_model.maskmem_tpos_enc",
    "fusion.seg_model.no_obj",
    "fusion.seg_model.obj_ptr",
)  # fmt: skip


class Objective(Enum):
    """What a stage optimises. `Teacher.objectives` says which function computes its losses."""

    SEE = "see"
    READ = "read"
    UNDERSTAND = "understand"
    THINK = "think"
    JOIN = "join"
    SHARPEN = "sharpen"
    PROPAGATE = "propagate"
    TUNE = "tune"


class BatchShape(NamedTuple):
    """Size of the batch that one process trains on in a step."""

    clips: int
    frames: int  # per clip
    sentences: int  # per clip
    sampled_frames: int  # per sentence: frames, drawn at random, whose masks are decoded; 0 if the objective decodes none or all


@dataclass(frozen=True)
class TrainingStage:
    """One stage of a recipe.

    name: in logs and model folders; a stage that repeats an earlier one has a number, as in `sharpen-2`.
    steps: optimiser steps.
    lr: learning rate after the warm-up.
    trains: prefixes of the names of the parameters that learn; the auxiliary heads always do.
    losses: weight of each loss; losses without a weight are only logged.
    batches: shapes of the batches, taken in turn; each is about as much work as the others.
    fades: losses whose weight changes linearly over the stage, and the share of it that is left at the end.
    slow: prefixes of the names of parameters whose lr is scaled by SLOW_LR_SCALE.
    cosine: share of the steps, at the end, over which the lr falls to zero.
    types: types of sentences, each tuple until that share of the steps.
    """

    name: str
    objective: Objective
    steps: int
    lr: float
    trains: tuple[str, ...]
    losses: dict[str, float]
    batches: tuple[BatchShape, ...]
    fades: tuple[tuple[str, float], ...] = ()
    slow: tuple[str, ...] = ()
    cosine: float = 0.0
    types: tuple[tuple[float, tuple[str, ...]], ...] = ((1.0, TYPES),)

    def again(self, number: int, steps: int) -> "TrainingStage":
        """The same stage as the second, third, ... of its objective."""
        return replace(self, name=f"{self.objective.value}-{number}", steps=steps)

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, with warm-up and cosine."""
        warm_up = min(1.0, (step + 1) / WARM_UP)
        left = (self.steps - step) / max(1.0, self.cosine * self.steps)
        return self.lr * warm_up * (1.0 if left >= 1 else 0.5 - 0.5 * math.cos(math.pi * left))

    def lr_scale(self, parameter: str) -> float:
        """The factor on the learning rate of a teacher's parameter of that name."""
        return SLOW_LR_SCALE if self.slow and _in_model(parameter).startswith(self.slow) else 1.0

    def batch_at(self, step: int) -> BatchShape:
        """The shape of a step's batch."""
        return self.batches[step % len(self.batches)]

    def weights_at(self, step: int) -> dict[str, float]:
        """The weight of each loss in a step."""
        done = step / self.steps
        fades = dict(self.fades)
        return {name: weight * (1 + done * (fades.get(name, 1.0) - 1)) for name, weight in self.losses.items()}

    def types_at(self, step: int) -> Sequence[str]:
        """The types of sentences in a step."""
        return next(types for until, types in self.types if step < until * self.steps or until == 1.0)

    def freeze(self, teacher: nn.Module) -> None:
        """Let only the parameters that this stage trains have gradients."""
        for name, parameter in teacher.named_parameters():
            parameter.requires_grad_(name.startswith("helpers.") or _in_model(name).startswith(self.trains))


def _in_model(parameter: str) -> str:
    """The name that a teacher's parameter has in the model."""
    return parameter.removeprefix("model.")


# the types that come first, or the model never learns to connect words for kind and colour with what it sees
EASY = ("attribute", "plural", "nothing")
MORE = (*TYPES, "motion", "position", "relation", "order", "order", "nothing")  # the types with the worst masks more often
HARD = (*MORE, "order")
TIMELESS = tuple(name for name in TYPES if name != "order")

SEE = TrainingStage(
    "see",
    Objective.SEE,
    steps=500,
    lr=1e-3,
    trains=(*SAM_ENCODER, *SAM_DECODER, "vision.vision_tower", "fusion.seg_prompter"),
    losses={**MASK_WEIGHTS, "attention": 0.5, "tower": 1.0, "dense": 1.0},
    batches=(BatchShape(6, 8, 4, 2),),
)
READ = TrainingStage(
    "read",
    Objective.READ,
    steps=500,
    lr=1e-3,
    trains=("language_model",),
    losses={"words": 1.0},
    batches=(BatchShape(4, 8, 12, 0),),
)
UNDERSTAND = TrainingStage(
    "understand",
    Objective.UNDERSTAND,
    steps=1300,
    lr=1e-3,
    trains=(*SAM_ENCODER, "vision", "language_model"),
    losses=UNDERSTANDING_WEIGHTS,
    batches=(
        BatchShape(5, 8, 6, 0),
        BatchShape(5, 8, 6, 0),
        BatchShape(3, 16, 6, 0),
        BatchShape(5, 8, 6, 0),
        BatchShape(5, 8, 6, 0),
        BatchShape(3, 16, 6, 0),
        BatchShape(1, 32, 6, 0),
    ),
    types=((0.12, EASY), (0.23, TIMELESS), (1.0, TYPES)),
)
THINK = TrainingStage(  # with a frozen trunk a sentence costs half as much, and language needs many
    "think",
    Objective.THINK,
    steps=1000,
    lr=1e-3,
    trains=(*TOWER, "vision.mm_projector", "language_model", "fusion.seg_prompter.content"),
    losses={**UNDERSTANDING_WEIGHTS, "exists": 1.0, "vocabulary": 0.1, "tower": 0.3, "match": 1.0},
    batches=(
        BatchShape(5, 8, 12, 0),
        BatchShape(2, 32, 10, 0),
        BatchShape(3, 16, 12, 0),
        BatchShape(2, 32, 10, 0),
        BatchShape(2, 32, 10, 0),
        BatchShape(2, 24, 12, 0),
    ),
    types=((0.5, TYPES), (1.0, HARD)),
    cosine=0.2,
)
JOIN = TrainingStage(
    "join",
    Objective.JOIN,
    steps=1000,
    lr=8e-4,
    trains=(*SAM_ENCODER, *SAM_DECODER, "vision", "language_model", "fusion.seg_prompter"),
    losses={**MASK_WEIGHTS, "attention": 1.0, **UNDERSTANDING_WEIGHTS, "heat": 0.7},
    fades=(("attention", 0.3), ("heat", 0.5)),
    types=((0.25, EASY), (1.0, TYPES)),
    batches=(
        BatchShape(4, 8, 6, 3),
        BatchShape(4, 8, 6, 3),
        BatchShape(2, 16, 6, 5),
        BatchShape(4, 8, 6, 3),
        BatchShape(4, 8, 6, 3),
        BatchShape(1, 32, 4, 8),
    ),
    cosine=0.4,
)
SHARPEN = TrainingStage(
    "sharpen",
    Objective.SHARPEN,
    steps=600,
    lr=1e-3,
    trains=(*SAM_DECODER, "vision.mm_projector", "language_model", "fusion.seg_prompter"),
    losses={
        **MASK_WEIGHTS,
        "attention": 0.5,
        "words": 0.1,
        "heat": 0.5,
        "point": 0.2,
        "moment": 0.2,
        "exists": 0.5,
        "target": 0.1,
    },
    batches=(
        BatchShape(4, 8, 6, 8),
        BatchShape(2, 16, 6, 12),
        BatchShape(1, 32, 5, 14),
        BatchShape(2, 16, 6, 12),
        BatchShape(4, 8, 6, 8),
        BatchShape(1, 24, 6, 14),
    ),
    types=((0.7, TYPES), (1.0, MORE)),
    cosine=0.3,
)
PROPAGATE = TrainingStage(
    "propagate",
    Objective.PROPAGATE,
    steps=300,
    lr=1e-3,
    trains=(*SAM_MEMORY, *SAM_DECODER),
    slow=SAM_DECODER,
    losses={"mask": 2.0, "iou": 0.3, "object": 1.0, "occupancy": 0.5},
    batches=(
        BatchShape(4, 8, 3, 0),
        BatchShape(2, 24, 3, 0),
        BatchShape(3, 12, 3, 0),
        BatchShape(1, 28, 4, 0),
    ),  # never 32, which may be every n-th frame of a longer clip
    types=((1.0, (*TYPES, "motion", "position", "order")),),  # types about things that look alike
    cosine=0.4,
)
# Each round starts where the last one ended: *think* learns more with the trunk that *join* has trained.
RETHINK = replace(THINK, types=((1.0, HARD),))  # without the easier half
REJOIN = replace(JOIN, types=((1.0, TYPES),))  # without the easy quarter
SECOND = (THINK.again(2, 760), JOIN.again(2, 600), SHARPEN.again(2, 1200))
THIRD = (THINK.again(3, 2400), REJOIN.again(3, 400), SHARPEN.again(3, 1000), PROPAGATE)
FOURTH = (RETHINK.again(4, 2000), REJOIN.again(4, 400), SHARPEN.again(4, 1000), PROPAGATE.again(2, 150))
FIFTH = (RETHINK.again(5, 4000), REJOIN.again(5, 400))
SIXTH = (RETHINK.again(6, 3000), REJOIN.again(6, 500), SHARPEN.again(5, 1000), PROPAGATE.again(3, 150))
RECIPE = (SEE, READ, UNDERSTAND, THINK, JOIN, SHARPEN, *SECOND, *THIRD, *FOURTH, *FIFTH, *SIXTH)

TUNE = TrainingStage(  # on the user's videos
    "tune",
    Objective.TUNE,
    steps=520,
    lr=8e-4,
    trains=(*SAM_ENCODER, *SAM_DECODER, "vision", "language_model", "fusion.seg_prompter"),
    losses={"mask": 2.0, "iou": 0.5, "object": 1.0, "attention": 0.5},
    batches=(BatchShape(1, 32, 4, 12),),  # 32 frames, as in use
    cosine=0.5,
)
REMEMBER = replace(
    PROPAGATE, steps=40, lr=5e-4, losses={"mask": 2.0, "iou": 0.3, "object": 0.5}, batches=(BatchShape(1, 32, 3, 0),)
)
FINE_TUNING = (TUNE, REMEMBER)


def chosen(recipe: Sequence[TrainingStage], names: Sequence[str]) -> tuple[TrainingStage, ...]:
    """The named stages of a recipe, in its order. Raises UsageError if the recipe has no stage of a name."""
    unknown = set(names) - {stage.name for stage in recipe}
    if unknown:
        names_of_all = ", ".join(stage.name for stage in recipe)
        raise UsageError(f"--stage {', '.join(sorted(unknown))} does not exist; the stages are {names_of_all}")
    return tuple(stage for stage in recipe if stage.name in names)


def scaled(recipe: Sequence[TrainingStage], effort: float) -> tuple[TrainingStage, ...]:
    """A recipe with `effort` times as many steps in every stage, at least one."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * effort))) for stage in recipe)
