"""Which parts of a model stay in memory between their uses, decided from its sizes and from the memory that is free.

    everything   all weights stay, from video to video
    encoders     the vision tower and SAM 2 stay; the language model passes through, layer by layer
    nothing      each part is loaded for its stage only, and the language model passes through

A model under a gigabyte stays whole. A larger one stays as far as there is room, if many videos are to come. For a single video
nothing would be gained, as each weight is used once. `--max-memory` says how much room there is; by default it is three quarters
of what is free.
"""

from collections.abc import Callable, Mapping
from enum import Enum

from virst_cli.errors import OutOfMemory
from virst_cli.machine.memory import readable
from virst_cli.stages import Stage

FREE_MEMORY_SHARE = 0.75  # of the free memory may be used; the rest is for other programs, and for what a prediction misses


class Residency(Enum):
    """What stays in memory, from the most to the least."""

    EVERYTHING = "everything"
    ENCODERS = "encoders"
    NOTHING = "nothing"


PredictPeaks = Callable[[Residency], Mapping[Stage, int]]
"""Peak bytes of each stage, as `PeakMemory.by_stage` predicts them."""


def choose_residency(predict: PredictPeaks, *, small: bool, many: bool, free: int | None, limit: int | None = None) -> Residency:
    """The most that may stay in memory, by the rules above.

    predict: see `PredictPeaks`.
    small: the model's weights are under a gigabyte.
    many: more than one video is to come.
    free: bytes of memory; None where unknown.
    limit: bytes that the run may take, from `--max-memory`; None for no limit.
    Raises OutOfMemory where even the least takes more than the limit.
    """
    candidates = list(Residency) if small or many else [Residency.NOTHING]
    room = limit
    if room is None and not small:
        room = round(FREE_MEMORY_SHARE * free) if free is not None else 0
    for residency in candidates:
        if room is None or max(predict(residency).values()) <= room:
            return residency
    if limit is not None:
        stage, most = max(predict(Residency.NOTHING).items(), key=lambda item: item[1])
        if most > limit:
            raise OutOfMemory(
                f"this model takes about {readable(most)} at {str(stage)!r}, and --max-memory allows {readable(limit)}; "
                "allow more, or try --dtype bfloat16, fewer sentences at once, or a smaller --model"
            )
    return Residency.NOTHING
