"""The words and records of the synthetic world: what a thing is, what it does, and what is said about it.

Everything here is plain data: `scene` fills it in, `render` draws it, `grammar` speaks about it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

KINDS = ("dog", "cat", "bird", "car", "ball", "box")
COLOURS = ("red", "green", "blue", "yellow", "white", "black")
SIZES = ("small", "large")
STATES = ("absent", "still", "left", "right", "air")  # what a thing does in one frame; air is the flight of a jump
EVENTS = ("left", "right", "still", "jump", "stop", "enter", "leave")
TYPES = ("attribute", "plural", "motion", "size", "position", "relation", "order", "nothing")

Which = Literal["first", "last"]

ABSENT, STILL, LEFT, RIGHT, AIR = range(len(STATES))


@dataclass(frozen=True)
class Event:
    """Something that happens to a thing: `name` is one of EVENTS, over frames `start` <= t < `end`.

    The sudden ones (stop, enter, leave) last one frame: the first one standing, in view, or out of view.
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Thing:
    """One sprite over the whole clip."""

    kind: str
    colour: str
    size: str
    path: npt.NDArray[np.float32]  # T, 2   centre x, y in pixels; outside the frame while absent
    states: npt.NDArray[np.uint8]  # T      index into STATES
    events: tuple[Event, ...]  # in order of their start

    def every(self, stride: int) -> "Thing":
        """The same thing where only every n-th frame is looked at."""
        events = tuple(Event(e.name, e.start // stride, (e.end - 1) // stride + 1) for e in self.events)
        return replace(self, path=self.path[::stride], states=self.states[::stride], events=events)


@dataclass(frozen=True)
class Sentence:
    """A referring expression, its type (one of TYPES) and the indices of the things it means (none for "nothing")."""

    text: str
    type: str
    targets: tuple[int, ...]
    event: str | None = None  # what its targets do, where the sentence says it
    which: Which | None = None  # of these events, where the sentence says it


@dataclass(frozen=True, eq=False)
class Clip:
    """A short video with its truth."""

    frames: npt.NDArray[np.uint8]  # T, H, W, 3
    ids: npt.NDArray[np.uint8]  # T, H, W   0 background, i+1 the visible pixels of things[i]
    things: tuple[Thing, ...]
    sentences: tuple[Sentence, ...]

    def masks(self, sentence: Sentence) -> npt.NDArray[np.bool_]:
        """The visible pixels of what `sentence` means, as (T, H, W): the union of its targets."""
        wanted = np.zeros(256, dtype=bool)
        wanted[[i + 1 for i in sentence.targets]] = True
        return wanted[self.ids]
