"""What a benchmark is made of: a data set is a sequence of videos, each with its frames, sentences and true masks.

Frames and masks may be decoded when they are looked at, so a data set on disk needs memory for one frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.metrics import Mask

Image = NDArray[np.uint8]  # H, W, 3

NOTHING = "nothing"  # type of the sentences that no thing in the video fits


class Truth(Protocol):
    """The true masks of an expression by frame number: (H, W), or None where nothing of it is visible."""

    def __getitem__(self, frame: int, /) -> Mask | None: ...


@dataclass(frozen=True, eq=False)
class Expression:
    """A referring expression and the masks that it means."""

    id: str
    text: str
    truth: Truth
    type: str | None = None  # what it speaks of (motion, order ...), where the data set says so


@dataclass(frozen=True, eq=False)
class Sample:
    """A video and everything asked about it."""

    video: str
    frame_names: Sequence[str]  # without suffix; predictions are stored under these names
    frames: Sequence[Image]
    expressions: Sequence[Expression]
    objects: NDArray[np.uint8] | None = None  # T, H, W   0 background, else the object's number; where they are known
    missing: Sequence[str] = ()  # frames that are not on disk, or the video itself; it can't be segmented then


class Dataset(Protocol):
    """Videos by number, always in the same order, so that a shard is a range of numbers."""

    @property
    def name(self) -> str:
        """As in `virst bench --dataset`."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
