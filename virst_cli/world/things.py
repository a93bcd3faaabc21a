"""The records of the synthetic world: things, events, sentences and clips, and the values that their fields have.

All of it is plain data: `scene` makes it, `render` draws it, `grammar` describes it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

KINDS = ("dog", "cat", "bird", "car", "ball", "box")
COLOURS = ("red", "green", "blue", "yellow", "white", "black")
SIZES = ("small", "large")
STATES = ("absent", "still", "left", "right", "air")  # of a thing in a frame; air: in a jump
EVENTS = ("left", "right", "still", "jump", "stop", "enter", "leave")
TYPES = ("attribute", "plural", "motion", "size", "position", "relation", "order", "nothing")

Which = Literal["first", "last"]

ABSENT, STILL, LEFT, RIGHT, AIR = range(len(STATES))


@dataclass(frozen=True)
class Event:
    """An event of a thing in the frames `start` <= t < `end`; `name` is one of EVENTS.

    Sudden events last one frame: the first one in which the thing stands (stop), is in view (enter), or is out of view (leave).
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Thing:
    """A sprite over the whole clip of T frames."""

    kind: str
    colour: str
    size: str
    path: npt.NDArray[np.float32]  # T, 2   centre x, y in pixels; outside the frame while absent
    states: npt.NDArray[np.uint8]  # T      index into STATES
    events: tuple[Event, ...]  # in order of their start

    def every(self, stride: int) -> "Thing":
        """The same thing in a clip of only every n-th frame."""
        events = tuple(Event(e.name, e.start // stride, (e.end - 1) // stride + 1) for e in self.events)
        return replace(self, path=self.path[::stride], states=self.states[::stride], events=events)


@dataclass(frozen=True)
class Sentence:
    """A referring expression with its type (one of TYPES) and the indices of its targets (none for "nothing")."""

    text: str
    type: str
    targets: tuple[int, ...]
    event: str | None = None  # of its targets, if the sentence names one
    which: Which | None = None  # which of these events, if the sentence says so


@dataclass(frozen=True, eq=False)
class Clip:
    """A synthetic video with its things and sentences."""

    frames: npt.NDArray[np.uint8]  # T, H, W, 3
    ids: npt.NDArray[np.uint8]  # T, H, W   0: background, i+1: visible pixels of things[i]
    things: tuple[Thing, ...]
    sentences: tuple[Sentence, ...]

    def masks(self, sentence: Sentence) -> npt.NDArray[np.bool_]:
        """The masks of a sentence (T, H, W) bool: the visible pixels of its targets."""
        wanted = np.zeros(256, dtype=bool)
        wanted[[i + 1 for i in sentence.targets]] = True
        return wanted[self.ids]
