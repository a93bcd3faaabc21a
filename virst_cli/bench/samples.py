"""Data sets as benchmarks use them: a sequence of videos, each with its frames, referring expressions and true masks.

Frames and masks may be decoded when they are used, so a data set on disk needs memory for one frame.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.metrics import CroppedMask, Mask
from virst_cli.errors import UsageError

Image = NDArray[np.uint8]  # H, W, 3

NOTHING = "nothing"  # type of the sentences that fit no object in the video


class Truth(Protocol):
    """The true masks of an expression by frame number: (H, W), or None where its objects are not visible."""

    def __getitem__(self, frame: int, /) -> Mask | CroppedMask | None: ...


class Labels(Protocol):
    """The objects of a video by frame number: (H, W) uint8, 0 background, 255 void, else the object's number from 1 on."""

    def __getitem__(self, frame: int, /) -> NDArray[np.uint8]: ...


class Hidden:
    """A truth that only a benchmark's server has."""

    def __getitem__(self, frame: int, /) -> Mask | None:
        raise UsageError(
            "the masks of this data set are not public; use a split with public masks, or write a --submission for its server"
        )


@dataclass(frozen=True, eq=False)
class Expression:
    """A referring expression and its true masks."""

    id: str
    text: str
    truth: Truth
    type: str | None = None  # such as motion or order, where the data set has types
    folder: str | None = None  # where its predictions are; None for VIDEO/ID
    annotated: Container[int] | None = None  # numbers of the frames that are scored; None for all


@dataclass(frozen=True, eq=False)
class Sample:
    """A video with its expressions."""

    video: str
    frame_names: Sequence[str]  # without suffix; predictions are stored by these names
    frames: Sequence[Image]
    expressions: Sequence[Expression]
    objects: NDArray[np.uint8] | None = None  # T, H, W   0 background, else the object's number; None if unknown
    missing: Sequence[str] = ()  # frames that are not on disk, or the video itself; such a video is not segmented
    size: tuple[int, int] | None = None  # H, W of its masks; None if unknown
    foreground: Truth | None = None  # all objects together; ReVOS needs it for robustness
    labels: Labels | None = None  # for the standard protocol of Ref-DAVIS17

    def folder(self, expression: Expression) -> str:
        """Where the predictions of an expression are, as a path with slashes relative to the folder of predictions."""
        return expression.folder or f"{self.video}/{expression.id}"


class Dataset(Protocol):
    """Videos by number, always in the same order, so that a shard is a choice of numbers."""

    @property
    def name(self) -> str:
        """Its name, as in `virst bench --dataset`."""
        ...

    @property
    def archive(self) -> str | None:
        """What stands before VIDEO/ID in a submission to its server; None for a data set that has no server."""
        ...

    def facts(self) -> dict[str, Any]:
        """All that a model's masks for it depend on, as JSON types. `pictures`: the state of each video's frames."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
