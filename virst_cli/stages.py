"""The stages of a run, and how progress through them is reported.

Progress lines, the timings in run.json, `--dry-run`, out-of-memory errors and the docs all use these names:

    look       frames -> visual tokens              the vision tower            once per video
    reason     tokens + sentence -> [SEG] states    the language model          once for all sentences
    fuse       [SEG] states + features -> prompts   spatio-temporal fusion      once per chunk
    anchor     prompts -> masks of anchor frames    SAM 2's mask decoder        once per chunk
    propagate  anchors + memory -> masks            SAM 2's memory attention    once per frame
    write      masks -> files                       ffmpeg and the record       once per frame
"""

from collections.abc import Callable
from enum import Enum


class Stage(str, Enum):
    """A stage of a run. The first five are the steps of the model, in the order in which a chunk needs them."""

    LOOK = "look"
    REASON = "reason"
    FUSE = "fuse"
    ANCHOR = "anchor"
    PROPAGATE = "propagate"
    WRITE = "write"

    __str__ = str.__str__  # the plain word, in messages too


MODEL_STAGES = (Stage.LOOK, Stage.REASON, Stage.FUSE, Stage.ANCHOR, Stage.PROPAGATE)

OnProgress = Callable[[str, int, int], None]
"""Called with a stage (or whatever else is under way, such as "download"), how much of it is done, and how much there is."""


def ignore_progress(stage: str, done: int, total: int) -> None:
    """An `OnProgress` that reports to nobody."""
