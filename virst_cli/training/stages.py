"""The recipe: its stages, what each trains, and how strongly each loss counts.

Rates are constant after a short warm-up, with a cosine only at the end of some stages: the model is still
learning when the others end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from virst_cli.errors import UsageError
from virst_cli.training.teacher import Teacher
from virst_cli.world import TYPES

MASK_WEIGHTS = {"mask": 2.0, "iou": 0.5, "object": 1.0, "prompt": 1.0, "match": 0.5}
KNOWLEDGE = {
    "words": 0.3, "heat": 1.0, "point": 0.4, "moment": 0.4, "exists": 0.5, "target": 0.3,
    "vocabulary": 0.3, "dense": 0.3, "tower": 0.5,
}  # fmt: skip
WARM_UP = 50  # steps

SAM_SEES = ("fusion.seg_model.image_encoder",)
TOWER = (  # but for its trunk, which it shares with SAM 2 while both learn
    "vision.vision_tower.patch_embed.proj",
    "vision.vision_tower.patch_embed.motion",
    "vision.vision_tower.blocks",
    "vision.vision_tower.vision_layernorm",
)
SAM_DECODES = ("fusion.seg_model.sam_mask_decoder", "fusion.seg_model.sam_prompt_encoder", "fusion.seg_model.no_mem_embed")
SAM_REMEMBERS = (
    "fusion.seg_model.memory_attention",
    "fusion.seg_model.memory_encoder",
    "fusion.seg_model.maskmem_tpos_enc",
    "fusion.seg_model.no_obj",
    "fusion.seg_model.obj_ptr",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingStage:
    """One stage. `batches`: shapes (clips, frames, sentences, looks) of a part, taken in turn, each about as much work."""

    name: str
    steps: int
    rate: float
    trains: tuple[str, ...]  # prefixes of parameter names
    losses: dict[str, float]
    batches: tuple[tuple[int, int, int, int], ...]
    fades: tuple[tuple[str, float], ...] = ()  # losses whose weight falls in a straight line to this share of it
    slow: tuple[str, ...] = ()  # prefixes of parameters that train at 0.3 of the rate
    cosine: float = 0.0  # share of the steps, at the end, over which the rate falls to nothing
    types: tuple[tuple[float, tuple[str, ...]], ...] = ((1.0, TYPES),)  # until this share of the steps, these sentences

    @property
    def lesson(self) -> str:
        """What is done in it; `sharpen-2` is *sharpen* once more."""
        return self.name.partition("-")[0]

    def again(self, number: int, steps: int) -> "TrainingStage":
        """The same for the second time, the third and so on."""
        return replace(self, name=f"{self.lesson}-{number}", steps=steps)

    def rate_at(self, step: int) -> float:
        warm = min(1.0, (step + 1) / WARM_UP)
        left = (self.steps - step) / max(1.0, self.cosine * self.steps)
        return self.rate * warm * (1.0 if left >= 1 else 0.5 - 0.5 * math.cos(math.pi * left))

    def weights_at(self, step: int) -> dict[str, float]:
        done = step / self.steps
        fades = dict(self.fades)
        return {name: weight * (1 + done * (fades.get(name, 1.0) - 1)) for name, weight in self.losses.items()}

    def types_at(self, step: int) -> Sequence[str]:
        return next(types for until, types in self.types if step < until * self.steps or until == 1.0)

    def freeze(self, teacher: Teacher) -> dict[str, list[nn.Parameter]]:
        """Leave only what this stage trains with a gradient; helper heads always learn. Returns the parameters by pace."""
        pace: dict[str, list[nn.Parameter]] = {"full": [], "slow": []}
        for name, parameter in teacher.named_parameters():
            place = name.removeprefix("model.")
            trained = name.startswith("helpers.") or place.startswith(self.trains)
            parameter.requires_grad_(trained)
            if trained:
                pace["slow" if self.slow and place.startswith(self.slow) else "full"].append(parameter)
        return pace


EASY = ("attribute", "plural", "nothing")  # first of all, or kind and colour are never bound to what is seen
MORE = (*TYPES, "motion", "position", "relation", "order", "order", "nothing")  # more turns for what is answered worst
HARD = (*MORE, "order")
TIMELESS = tuple(name for name in TYPES if name != "order")

SEE = TrainingStage(
    "see",
    steps=500,
    rate=1e-3,
    trains=(*SAM_SEES, *SAM_DECODES, "vision.vision_tower", "fusion.seg_prompter"),
    losses={**MASK_WEIGHTS, "attention": 0.5, "tower": 1.0, "dense": 1.0},
    batches=((6, 8, 4, 2),),
)
READ = TrainingStage(
    "read",
    steps=500,
    rate=1e-3,
    trains=("language_model",),
    losses={"words": 1.0},
    batches=((4, 8, 12, 0),),
)
UNDERSTAND = TrainingStage(
    "understand",
    steps=1300,
    rate=1e-3,
    trains=(*SAM_SEES, "vision", "language_model"),
    losses=KNOWLEDGE,
    batches=((5, 8, 6, 0), (5, 8, 6, 0), (3, 16, 6, 0), (5, 8, 6, 0), (5, 8, 6, 0), (3, 16, 6, 0), (1, 32, 6, 0)),
    types=((0.12, EASY), (0.23, TIMELESS), (1.0, TYPES)),
)
THINK = TrainingStage(  # with a trunk that stays as it is a sentence costs half, and language needs many
    "think",
    steps=1000,
    rate=1e-3,
    trains=(*TOWER, "vision.mm_projector", "language_model", "fusion.seg_prompter.content"),
    losses={**KNOWLEDGE, "exists": 1.0, "vocabulary": 0.1, "tower": 0.3, "match": 1.0},
    batches=((5, 8, 12, 0), (2, 32, 10, 0), (3, 16, 12, 0), (2, 32, 10, 0), (2, 32, 10, 0), (2, 24, 12, 0)),
    types=((0.5, TYPES), (1.0, HARD)),
    cosine=0.2,
)
JOIN = TrainingStage(
    "join",
    steps=1000,
    rate=8e-4,
    trains=(*SAM_SEES, *SAM_DECODES, "vision", "language_model", "fusion.seg_prompter"),
    losses={**MASK_WEIGHTS, "attention": 1.0, **KNOWLEDGE, "heat": 0.7},
    fades=(("attention", 0.3), ("heat", 0.5)),
    types=((0.25, EASY), (1.0, TYPES)),
    batches=((4, 8, 6, 3), (4, 8, 6, 3), (2, 16, 6, 5), (4, 8, 6, 3), (4, 8, 6, 3), (1, 32, 4, 8)),
    cosine=0.4,
)
SHARPEN = TrainingStage(
    "sharpen",
    steps=600,
    rate=1e-3,
    trains=(*SAM_DECODES, "vision.mm_projector", "language_model", "fusion.seg_prompter"),
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
    batches=((4, 8, 6, 8), (2, 16, 6, 12), (1, 32, 5, 14), (2, 16, 6, 12), (4, 8, 6, 8), (1, 24, 6, 14)),
    types=((0.7, TYPES), (1.0, MORE)),
    cosine=0.3,
)
PROPAGATE = TrainingStage(
    "propagate",
    steps=300,
    rate=1e-3,
    trains=(*SAM_REMEMBERS, *SAM_DECODES),
    slow=SAM_DECODES,
    losses={"mask": 2.0, "iou": 0.3, "object": 1.0, "occupancy": 0.5},
    batches=((4, 8, 3, 0), (2, 24, 3, 0), (3, 12, 3, 0), (1, 28, 4, 0)),  # none of 32, which may be every n-th frame
    types=((1.0, (*TYPES, "motion", "position", "order")),),  # where things look alike
    cosine=0.4,
)
# what *join* makes of the trunk, *think* is the better for: each round begins where the last one ended
RETHINK = replace(THINK, types=((1.0, HARD),))  # without the easier half
REJOIN = replace(JOIN, types=((1.0, TYPES),))  # without the easy quarter
SECOND = (THINK.again(2, 760), JOIN.again(2, 600), SHARPEN.again(2, 1200))
THIRD = (THINK.again(3, 2400), REJOIN.again(3, 400), SHARPEN.again(3, 1000), PROPAGATE)
FOURTH = (RETHINK.again(4, 2000), REJOIN.again(4, 400), SHARPEN.again(4, 1000), PROPAGATE.again(2, 150))
FIFTH = (RETHINK.again(5, 4000), REJOIN.again(5, 400))
SIXTH = (RETHINK.again(6, 3000), REJOIN.again(6, 500), SHARPEN.again(5, 1000), PROPAGATE.again(3, 150))
RECIPE = (SEE, READ, UNDERSTAND, THINK, JOIN, SHARPEN, *SECOND, *THIRD, *FOURTH, *FIFTH, *SIXTH)

TUNE = TrainingStage(  # on somebody's own videos
    "tune",
    steps=520,
    rate=8e-4,
    trains=(*SAM_SEES, *SAM_DECODES, "vision", "language_model", "fusion.seg_prompter"),
    losses={"mask": 2.0, "iou": 0.5, "object": 1.0, "attention": 0.5},
    batches=((1, 32, 4, 12),),  # 32: as many frames as the model sees in use
    cosine=0.5,
)
REMEMBER = replace(PROPAGATE, steps=40, rate=5e-4, losses={"mask": 2.0, "iou": 0.3, "object": 0.5}, batches=((1, 32, 3, 0),))
FINE_TUNING = (TUNE, REMEMBER)


def chosen(recipe: Sequence[TrainingStage], names: Sequence[str]) -> tuple[TrainingStage, ...]:
    """The stages of those names, in the recipe's order. Raises UsageError for a name that none has."""
    unknown = set(names) - {stage.name for stage in recipe}
    if unknown:
        raise UsageError(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(stage.name for stage in recipe)}")
    return tuple(stage for stage in recipe if stage.name in names)


def scaled(recipe: Sequence[TrainingStage], effort: float) -> tuple[TrainingStage, ...]:
    """The same recipe in fewer or more steps."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * effort))) for stage in recipe)
