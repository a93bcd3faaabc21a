"""What of a model stays in memory, decided from its sizes and from what is free.

    everything   all weights stay, from video to video
    eyes         vision tower and SAM2 stay; the language model passes through, layer by layer
    nothing      each part is there for its stage only, and the language model passes through

A model under a gigabyte stays whole. A larger one stays as far as there is room, if many videos are to come; for a single video
nothing is gained by that, as each weight is used once. `--max-memory` says how much room there is; otherwise it is three quarters
of what is free.
"""

from collections.abc import Callable, Mapping
from enum import Enum

from virst_cli.errors import OutOfMemory
from virst_cli.machine.memory import readable

FREE_MEMORY_SHARE = 0.75  # of the free memory; the rest is for others, and for what a prediction misses


class Residency(Enum):
    """What stays; the first is the most."""

    everything = "everything"
    eyes = "eyes"
    nothing = "nothing"


Predict = Callable[[Residency], Mapping[str, int]]  # bytes at the peak of each stage


def choose_residency(predict: Predict, *, small: bool, many: bool, free: int | None, limit: int | None = None) -> Residency:
    """The most that there is room for, as the module's text has it.

    small: the model is; many: more than one video is to come; free: bytes, None where unknown; limit: bytes that are allowed.
    Raises OutOfMemory where even the least is more than the limit.
    """
    wanted = list(Residency) if small or many else [Residency.nothing]
    room = limit
    if room is None and not small:
        room = round(FREE_MEMORY_SHARE * free) if free is not None else 0
    for stay in wanted:
        if room is None or max(predict(stay).values()) <= room:
            return stay
    if limit is not None:
        stage, most = max(predict(Residency.nothing).items(), key=lambda item: item[1])
        if most > limit:
            raise OutOfMemory(
                f"this model takes about {readable(most)} at {stage!r}, and --max-memory allows {readable(limit)}; allow more, "
                "or try --dtype bfloat16, fewer sentences at once, or a smaller --model"
            )
    return Residency.nothing
