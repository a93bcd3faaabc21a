"""The training recipe: its stages, what each trains, and the weights of its losses.

Learning rates are constant after a short warm-up. Some stages end with a cosine decay; the model is still learning when the
others end.
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
SENTENCE_WEIGHTS = {
    "words": 0.3, "heat": 1.0, "point": 0.4, "moment": 0.4, "exists": 0.5, "target": 0.3,
    "vocabulary": 0.3, "dense": 0.3, "tower": 0.5,
}  # fmt: skip
WARM_UP_STEPS = 50

SAM_ENCODER = ("fusion.seg_model.image_encoder",)
TOWER = (  # without its trunk, which it shares with SAM 2 while both learn
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


class Objective(str, Enum):
    """What a stage teaches. A `Teacher` has a loss function for each objective that it can teach."""

    SEE = "see"  # vision, and masks from prompts that code for kind, colour or trajectory
    READ = "read"  # sentences, without a video
    UNDERSTAND = "understand"  # what sentences mean in a video
    THINK = "think"  # the same with a frozen trunk, and where the SegPrompter looks
    JOIN = "join"  # everything up to masks
    SHARPEN = "sharpen"  # masks, with frozen encoders
    PROPAGATE = "propagate"  # tracking from anchors
    TUNE = "tune"  # masks of other videos alone


class BatchShape(NamedTuple):
    """The size of one part of a batch."""

    clips: int
    frames: int  # of each clip
    sentences: int  # about each clip
    sampled_frames: int  # of each sentence, for which masks are decoded


@dataclass(frozen=True)
class TrainingStage:
    """One stage of a recipe."""

    objective: Objective
    steps: int
    lr: float
    trains: tuple[str, ...]  # prefixes of parameter names
    losses: dict[str, float]  # weight of each loss
    batches: tuple[BatchShape, ...]  # taken in turn; each is about as much work
    fades: tuple[tuple[str, float], ...] = ()  # losses whose weight falls linearly to this share of it
    slow: tuple[str, ...] = ()  # prefixes of parameters that train at a lower rate, see `optimizer.SLOW_LR_SCALE`
    cosine: float = 0.0  # share of the steps, at the end, over which the learning rate decays to 0
    types: tuple[tuple[float, tuple[str, ...]], ...] = ((1.0, TYPES),)  # types of sentences, until this share of the steps
    round: int = 1  # how often the recipe comes to this objective

    @property
    def name(self) -> str:
        """The objective, with the round from the second one on: `sharpen`, `sharpen-2`."""
        return self.objective.value if self.round == 1 else f"{self.objective.value}-{self.round}"

    def again(self, round: int, steps: int) -> "TrainingStage":
        """The same stage in a later round."""
        return replace(self, round=round, steps=steps)

    def lr_at(self, step: int) -> float:
        """The learning rate of a step: warm-up, constant, cosine decay."""
        warm = min(1.0, (step + 1) / WARM_UP_STEPS)
        left = (self.steps - step) / max(1.0, self.cosine * self.steps)
        return self.lr * warm * (1.0 if left >= 1 else 0.5 - 0.5 * math.cos(math.pi * left))

    def weights_at(self, step: int) -> dict[str, float]:
        """The weight of each loss in a step."""
        done = step / self.steps
        fades = dict(self.fades)
        return {name: weight * (1 + done * (fades.get(name, 1.0) - 1)) for name, weight in self.losses.items()}

    def types_at(self, step: int) -> Sequence[str]:
        """The types of sentences that a step asks about."""
        return next(types for until, types in self.types if step < until * self.steps or until == 1.0)

    def freeze(self, teacher: nn.Module) -> list[nn.Parameter]:
        """Lets only what this stage trains have gradients; auxiliary heads always learn. Returns the slow parameters."""
        slow = []
        for name, parameter in teacher.named_parameters():
            place = name.removeprefix("model.")
            trained = name.startswith("helpers.") or place.startswith(self.trains)
            parameter.requires_grad_(trained)
            if trained and self.slow and place.startswith(self.slow):
                slow.append(parameter)
        return slow


EASY = ("attribute", "plural", "nothing")  # come first; otherwise kind and colour are never bound to what is seen
MORE = (*TYPES, "motion", "position", "relation", "order", "order", "nothing")  # more of what is answered worst
HARD = (*MORE, "order")
TIMELESS = tuple(name for name in TYPES if name != "order")

SEE = TrainingStage(
    Objective.SEE,
    steps=500,
    lr=1e-3,
    trains=(*SAM_ENCODER, *SAM_DECODER, "vision.vision_tower", "fusion.seg_prompter"),
    losses={**MASK_WEIGHTS, "attention": 0.5, "tower": 1.0, "dense": 1.0},
    batches=(BatchShape(6, 8, 4, 2),),
)
READ = TrainingStage(
    Objective.READ,
    steps=500,
    lr=1e-3,
    trains=("language_model",),
    losses={"words": 1.0},
    batches=(BatchShape(4, 8, 12, 0),),
)
UNDERSTAND = TrainingStage(
    Objective.UNDERSTAND,
    steps=1300,
    lr=1e-3,
    trains=(*SAM_ENCODER, "vision", "language_model"),
    losses=SENTENCE_WEIGHTS,
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
THINK = TrainingStage(  # with a frozen trunk a sentence costs half, and language needs many
    Objective.THINK,
    steps=1000,
    lr=1e-3,
    trains=(*TOWER, "vision.mm_projector", "language_model", "fusion.seg_prompter.content"),
    losses={**SENTENCE_WEIGHTS, "exists": 1.0, "vocabulary": 0.1, "tower": 0.3, "match": 1.0},
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
    Objective.JOIN,
    steps=1000,
    lr=8e-4,
    trains=(*SAM_ENCODER, *SAM_DECODER, "vision", "language_model", "fusion.seg_prompter"),
    losses={**MASK_WEIGHTS, "attention": 1.0, **SENTENCE_WEIGHTS, "heat": 0.7},
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
    ),  # no clip of 32 frames, which may be every n-th one
    types=((1.0, (*TYPES, "motion", "position", "order")),),  # about things that look alike
    cosine=0.4,
)
# thinking gains from what joining makes of the trunk, so each round begins where the last one ended
RETHINK = replace(THINK, types=((1.0, HARD),))  # without the easier half
REJOIN = replace(JOIN, types=((1.0, TYPES),))  # without the easy quarter
SECOND = (THINK.again(2, 760), JOIN.again(2, 600), SHARPEN.again(2, 1200))
THIRD = (THINK.again(3, 2400), REJOIN.again(3, 400), SHARPEN.again(3, 1000), PROPAGATE)
FOURTH = (RETHINK.again(4, 2000), REJOIN.again(4, 400), SHARPEN.again(4, 1000), PROPAGATE.again(2, 150))
FIFTH = (RETHINK.again(5, 4000), REJOIN.again(5, 400))
SIXTH = (RETHINK.again(6, 3000), REJOIN.again(6, 500), SHARPEN.again(5, 1000), PROPAGATE.again(3, 150))
RECIPE = (SEE, READ, UNDERSTAND, THINK, JOIN, SHARPEN, *SECOND, *THIRD, *FOURTH, *FIFTH, *SIXTH)

TUNE = TrainingStage(  # on a user's videos
    Objective.TUNE,
    steps=520,
    lr=8e-4,
    trains=(*SAM_ENCODER, *SAM_DECODER, "vision", "language_model", "fusion.seg_prompter"),
    losses={"mask": 2.0, "iou": 0.5, "object": 1.0, "attention": 0.5},
    batches=(BatchShape(1, 32, 4, 12),),  # 32: as many frames as the model sees in use
    cosine=0.5,
)
REMEMBER = replace(
    PROPAGATE, steps=40, lr=5e-4, losses={"mask": 2.0, "iou": 0.3, "object": 0.5}, batches=(BatchShape(1, 32, 3, 0),)
)
FINE_TUNING = (TUNE, REMEMBER)


def named_stages(recipe: Sequence[TrainingStage], names: Sequence[str]) -> tuple[TrainingStage, ...]:
    """The stages of those names, in the order of the recipe. Raises UsageError for an unknown name."""
    unknown = set(names) - {stage.name for stage in recipe}
    if unknown:
        known = ", ".join(stage.name for stage in recipe)
        raise UsageError(f"--stage {', '.join(sorted(unknown))} is not a stage of this recipe; choose from {known}")
    return tuple(stage for stage in recipe if stage.name in names)


def scaled(recipe: Sequence[TrainingStage], effort: float) -> tuple[TrainingStage, ...]:
    """The same recipe with `effort` times as many steps in each stage, and at least one."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * effort))) for stage in recipe)
