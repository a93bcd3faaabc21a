"""Predicates about the things in a clip: true, false, or unclear (None), so that no sentence depends on a few pixels.

A sentence is only used if it is true of exactly its targets and false of everything else that its noun could mean.
Constants that are lengths are in units of min(width, height) / 128 pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virst_cli.world.scene import order_margin
from virst_cli.world.things import ABSENT, AIR, STILL, Thing

Truth = bool | None

MOVED = 14.0  # a thing that moves at least this far moves; between RESTED and MOVED it is unclear
RESTED = 2.0  # a thing that moves less than this does not move
MIDDLE = 7.0  # left and right, top and bottom begin at this distance from the middle of the frame
BESIDE = 12.0  # distance of centres from which on a thing is left of, right of, above or below another
NEAR, FAR = 50.0, 70.0  # up to NEAR centres are next to each other, from FAR on they are not
SIDES = ("left", "right", "top", "bottom")
RELATIONS = ("left", "right", "above", "below", "next")


@dataclass(frozen=True)
class Facts:
    """Predicates about the things of one clip. Arguments i and j are indices of things."""

    things: Sequence[Thing]
    width: int
    height: int

    @property
    def unit(self) -> float:
        """Pixels per unit of length."""
        return min(self.width, self.height) / 128

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.things[0].states)

    def does(self, i: int, event: str) -> Truth:
        """Whether thing i does an event (one of EVENTS); left and right are true only if it never moves the other way."""
        if event in ("left", "right"):
            left, right = self._distances(i)
            there, back = (left, right) if event == "left" else (right, left)
            return _between(there, RESTED, MOVED) if back < RESTED else (False if there < RESTED else None)
        if event == "still":
            return self._stays_still(i)
        clear, unclear = self.times(i, event)
        return True if clear else (None if unclear else False)

    def times(self, i: int, event: str) -> tuple[list[int], list[int]]:
        """Frames at which an event of thing i clearly starts, and frames at which the clip shows too little of it."""
        clear: list[int] = []
        unclear: list[int] = []
        for e in self.things[i].events:
            if e.name == event:
                seen = e.end - e.start >= 3 if event == "jump" else event == "leave" or self.frames - e.start >= 3
                (clear if seen else unclear).append(e.start)
        return clear, unclear

    def first_or_last(self, group: Sequence[int], event: str, which: str) -> int | None:
        """The thing of a group whose event is clearly the first or the last (`which`) of theirs; None if there is none."""
        moments: list[tuple[int, int]] = []
        for i in group:
            clear, unclear = self.times(i, event)
            if unclear:
                return None
            if clear:
                moments.append((clear[0] if which == "first" else -clear[-1], i))
        moments.sort()
        if len(moments) < 2 or moments[1][0] - moments[0][0] < order_margin(self.frames):
            return None
        return moments[0][1]

    def at(self, i: int, side: str, time: str | None) -> Truth:
        """Whether thing i is at a side of the frame (one of SIDES).

        time: "start" or "end" of the clip; None: whenever the thing is seen.
        """
        seen = np.flatnonzero(self.things[i].states != ABSENT)
        if time is not None:
            frame = 0 if time == "start" else self.frames - 1
            if frame not in seen:
                return False
            seen = np.array([frame])
        x, y = self.things[i].path[seen].T
        offset = (x - self.width / 2 if side in ("left", "right") else y - self.height / 2) / self.unit
        return _always(-offset if side in ("left", "top") else offset, -MIDDLE, MIDDLE)

    def related(self, i: int, relation: str, j: int) -> Truth:
        """Whether thing i is in a relation (one of RELATIONS) to thing j whenever both are seen."""
        both = (self.things[i].states != ABSENT) & (self.things[j].states != ABSENT)
        if 2 * np.count_nonzero(both) < self.frames or not both.any():
            return None
        dx, dy = (self.things[j].path[both] - self.things[i].path[both]).T / self.unit
        if relation == "next":
            return _always(-np.hypot(dx, dy), -FAR, -NEAR)
        return _always({"left": dx, "right": -dx, "above": dy, "below": -dy}[relation], 0.0, BESIDE)

    def _distances(self, i: int) -> tuple[float, float]:
        """How far thing i moves to the left and to the right while it is in view."""
        thing = self.things[i]
        seen = (thing.states[1:] != ABSENT) & (thing.states[:-1] != ABSENT)
        steps = np.diff(thing.path[:, 0])[seen] / self.unit
        return float(-steps[steps < 0].sum()), float(steps[steps > 0].sum())

    def _stays_still(self, i: int) -> Truth:
        states = self.things[i].states
        if (states == STILL).all():
            return True
        return False if (states == AIR).sum() >= 3 or max(self._distances(i)) >= MOVED else None


def _between(value: float, low: float, high: float) -> Truth:
    return True if value >= high else (False if value < low else None)


def _always(values: npt.NDArray[np.floating], low: float, high: float) -> Truth:
    """True if all values are at least `high`, false if all are at most `low`, otherwise unclear."""
    return True if (values >= high).all() else (False if (values <= low).all() else None)
