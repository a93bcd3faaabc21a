"""What a benchmark is made of: a data set is a sequence of videos, each with its frames, sentences and true masks.

Frames and masks may be decoded when they are looked at, so a data set on disk needs memory for one frame.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.metrics import Cut, Mask
from virst_cli.errors import UsageError

Image = NDArray[np.uint8]  # H, W, 3

NOTHING = "nothing"  # type of the sentences that no thing in the video fits


class Truth(Protocol):
    """The true masks of an expression by frame number: (H, W), or None where nothing of it is visible."""

    def __getitem__(self, frame: int, /) -> Mask | Cut | None: ...


class Labels(Protocol):
    """The objects of a video by frame number: (H, W) uint8, 0 background, 255 void, else the object's number from 1 on."""

    def __getitem__(self, frame: int, /) -> NDArray[np.uint8]: ...


class Hidden:
    """The truth that only a server knows."""

    def __getitem__(self, frame: int, /) -> Mask | None:
        raise UsageError("the masks of this data set are not public; use the split that has some, or write a --submission")


@dataclass(frozen=True, eq=False)
class Expression:
    """A referring expression and the masks that it means."""

    id: str
    text: str
    truth: Truth
    type: str | None = None  # what it speaks of (motion, order ...), where the data set says so
    folder: str | None = None  # of its predictions; None for VIDEO/ID
    annotated: Container[int] | None = None  # the frames that count, where not all of them have been annotated


@dataclass(frozen=True, eq=False)
class Sample:
    """A video and everything asked about it."""

    video: str
    frame_names: Sequence[str]  # without suffix; predictions are stored under these names
    frames: Sequence[Image]
    expressions: Sequence[Expression]
    objects: NDArray[np.uint8] | None = None  # T, H, W   0 background, else the object's number; where they are known
    missing: Sequence[str] = ()  # frames that are not on disk, or the video itself; it can't be segmented then
    size: tuple[int, int] | None = None  # H, W of its masks; None where nothing says it
    foreground: Truth | None = None  # all objects together, by which ReVOS measures robustness
    labels: Labels | None = None  # for the standard protocol of Ref-DAVIS17

    def folder(self, expression: Expression) -> str:
        """Where the predictions of an expression are, below the folder of all: a relative path with slashes."""
        return expression.folder or f"{self.video}/{expression.id}"


class Dataset(Protocol):
    """Videos by number, always in the same order, so that a shard is a range of numbers."""

    @property
    def name(self) -> str:
        """As in `virst bench --dataset`."""
        ...

    @property
    def archive(self) -> str | None:
        """What a server puts before VIDEO/ID in a submission; None for a set that no server scores."""
        ...

    def facts(self) -> dict[str, Any]:
        """What decides about the masks that a model gives for it. For JSON; `pictures`: the state of each video's frames."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
