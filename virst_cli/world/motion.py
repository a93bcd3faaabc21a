"""Draws the trajectory of a thing: its path and its state in every frame.

A role is one of EVENTS. In a short clip (up to SHORT frames) its event happens once; in a longer clip it repeats: walkers turn
round at the sides, jumpers jump again, visitors come back. Constants that are lengths are in units of min(width, height) / 128
pixels.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from virst_cli.world.things import ABSENT, AIR, LEFT, RIGHT, STILL, Event

SHORT = 20  # frames
PEAK = (16.0, 24.0)  # lowest and highest height of a jump
TIMED = ("jump", "stop", "enter", "leave")  # roles whose event starts at a certain frame


def event_window(role: str, frames: int) -> tuple[int, int]:
    """The first and last frame at which the (first) event of `role` may start; it needs 7 frames to fit."""
    ends = {"jump": (1, frames - 4), "stop": (2, frames - 3), "enter": (1, frames - 4), "leave": (4, frames - 1)}
    first, last = ends[role]
    return first, last if frames <= SHORT else max(SHORT - 4, frames // 2)


@dataclass
class ThingMotion:
    """The path and the states of one thing over T frames."""

    x: npt.NDArray[np.float32]  # T   horizontal centre in pixels
    lift: npt.NDArray[np.float32]  # T   height of a jump above the ground in pixels
    states: npt.NDArray[np.uint8]  # T   index into STATES
    faces_left: npt.NDArray[np.bool_]  # T


@dataclass
class _Walker:
    """Builds a trajectory frame by frame."""

    x: float  # current horizontal centre in pixels
    low: float  # lowest and highest x, where a walker turns round
    high: float
    heading: int  # -1 left, 1 right
    xs: list[float] = field(default_factory=list)
    lifts: list[float] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)

    def _append(self, state: int, x: float, lift: float = 0.0) -> None:
        self.xs.append(x)
        self.lifts.append(lift)
        self.states.append(state)
        self.headings.append(self.heading)

    def stand(self, frames: int) -> None:
        """Stand still."""
        for _ in range(frames):
            self._append(STILL, self.x)

    def be_absent(self, frames: int, x: float) -> None:
        """Stay out of view at x."""
        for _ in range(frames):
            self._append(ABSENT, x)

    def walk(self, frames: int, speed: float, *, bounce: bool = True) -> None:
        """Move by `speed` pixels per frame along the heading (0: stand). A frame's state is the step that follows it.

        bounce: turn round at the sides.
        """
        for _ in range(frames):
            if bounce and not self.low <= self.x + speed * self.heading <= self.high:
                self.heading = 1 if self.x < (self.low + self.high) / 2 else -1
            self._append(STILL if not speed else LEFT if self.heading < 0 else RIGHT, self.x)
            self.x += speed * self.heading

    def jump(self, frames: int, height: float, speed: float) -> None:
        """Jump `height` pixels high, moving by `speed` pixels per frame along the heading."""
        for k in range(1, frames + 1):
            self._append(AIR, self.x, height * float(np.sin(np.pi * k / (frames + 1))))
            self.x += speed * self.heading

    def motion(self, frames: int) -> ThingMotion:
        """The first `frames` frames of what was built."""
        return ThingMotion(
            np.array(self.xs[:frames], dtype=np.float32),
            np.array(self.lifts[:frames], dtype=np.float32),
            np.array(self.states[:frames], dtype=np.uint8),
            np.array(self.headings[:frames]) < 0,
        )


def move(
    rng: np.random.Generator, role: str, *, frames: int, width: int, side: int, unit: float, when: int | None = None
) -> ThingMotion:
    """Draw a trajectory.

    role: one of EVENTS.
    width: of the frame in pixels.
    side: of the sprite in pixels.
    unit: pixels per unit of length.
    when: frame at which the first event of a role in TIMED starts; drawn if None.
    """
    low, high = side / 2, max(side / 2 + 1, width - side / 2)
    heading = {"left": -1, "right": 1}.get(role) or (1 if rng.random() < 0.5 else -1)
    walker = _Walker(float(rng.uniform(low, high)), low, high, heading)
    if role in TIMED and when is None:
        first, last = event_window(role, frames)
        when = int(rng.integers(first, max(first, last) + 1))
    if role == "still":
        walker.stand(frames)
    elif frames <= SHORT:
        _act_once(rng, walker, role, frames=frames, width=width, side=side, unit=unit, when=when or 0)
    else:
        _act_repeatedly(rng, walker, role, frames=frames, width=width, side=side, unit=unit, when=when or 0)
    return walker.motion(frames)


def _place_for(rng: np.random.Generator, walker: _Walker, distance: float) -> None:
    """Place the walker where it can move `distance` pixels along its heading without reaching a side."""
    slack = float(rng.uniform(0, max(0.0, walker.high - walker.low - distance)))
    walker.x = walker.low + slack if walker.heading > 0 else walker.high - slack


def _act_once(
    rng: np.random.Generator, walker: _Walker, role: str, *, frames: int, width: int, side: int, unit: float, when: int
) -> None:
    room = walker.high - walker.low
    if role in ("left", "right"):
        distance = min(room, float(rng.uniform(28, 58)) * unit * max(frames - 1, 4) / 7)
        _place_for(rng, walker, distance)
        walker.walk(frames, distance / max(1, frames - 1), bounce=False)
    elif role == "jump":
        distance = min(room, float(rng.uniform(22, 40)) * unit) if rng.random() < 0.3 else 0.0
        _place_for(rng, walker, distance or float(rng.uniform(0, room)))
        speed, flight = distance / (frames - 1), int(rng.integers(3, 5)) if when + 4 < frames else 3
        walker.walk(when, speed, bounce=False)
        walker.jump(flight, float(rng.uniform(*PEAK)) * unit, speed)
        walker.walk(frames - when - flight, speed, bounce=False)
    elif role == "stop":
        distance = min(room, float(rng.uniform(7, 10)) * unit * when)
        _place_for(rng, walker, distance)
        walker.walk(when, distance / when, bounce=False)
        walker.stand(frames - when)
    else:  # leave is enter reversed in time
        edge = width - 0.1 * side if (walker.heading < 0) == (role == "enter") else 0.1 * side
        steps = (frames - when if role == "enter" else when) - 1
        reach = (width - 0.6 * side) / max(1, steps)
        speed = min(reach, max(0.16 * side, float(rng.uniform(6, 9)) * unit))
        outside = edge + side * (1.2 if edge > width / 2 else -1.2)
        if role == "enter":
            walker.be_absent(when, outside)
            walker.x = edge
            walker.walk(frames - when, speed, bounce=False)
        else:
            walker.x = edge - walker.heading * speed * steps
            walker.walk(when, speed, bounce=False)
            walker.be_absent(frames - when, outside)


def _act_repeatedly(
    rng: np.random.Generator, walker: _Walker, role: str, *, frames: int, width: int, side: int, unit: float, when: int
) -> None:
    if role == "enter":
        walker.be_absent(when, -side if walker.heading > 0 else width + side)
    while len(walker.xs) < frames:
        speed = float(rng.uniform(2.5, 5)) * unit
        if role in ("left", "right"):
            walker.walk(int(rng.integers(10, 30)), speed)
        elif role == "jump":
            walker.stand(int(rng.integers(6, 20)) if walker.xs else when)
            walker.jump(int(rng.integers(4, 7)), float(rng.uniform(*PEAK)) * unit, 0.0)
        elif role == "stop":
            walker.walk(int(rng.integers(6, 14)) if walker.xs else max(2, when), speed)
            walker.stand(int(rng.integers(6, 14)))
        else:
            _visit(rng, walker, width=width, side=side, speed=speed, when=when)


def _visit(rng: np.random.Generator, walker: _Walker, *, width: int, side: int, speed: float, when: int) -> None:
    """Come in, walk about, go out, and stay out of view for a while. The first visit of `leave` starts in view."""
    about = int(rng.integers(10, 40))
    if not walker.xs:  # only for leave
        about = max(1, when - int(width / 2 / speed))
    else:
        walker.heading = 1 if rng.random() < 0.5 else -1
        walker.x = -0.1 * side if walker.heading > 0 else width + 0.1 * side
        walker.walk(int(np.ceil(0.75 * side / speed)), speed, bounce=False)
    walker.walk(about, speed)
    out = walker.x + 0.35 * side if walker.heading < 0 else width - walker.x + 0.35 * side
    walker.walk(max(1, int(np.ceil(out / speed))), speed, bounce=False)
    walker.be_absent(int(rng.integers(6, 20)), -side if walker.heading < 0 else width + side)


def events_of(states: npt.NDArray[np.uint8]) -> tuple[Event, ...]:
    """The events that states (T,) contain: runs of left, right, still and jump, and the moments of stop, enter and leave."""
    names = {STILL: "still", LEFT: "left", RIGHT: "right", AIR: "jump"}
    cuts = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist(), len(states)]
    log: list[Event] = []
    before: int | None = None
    for start, end in pairwise(cuts):
        state = int(states[start])
        if before == ABSENT:
            log.append(Event("enter", start, start + 1))
        elif before is not None and state == ABSENT:
            log.append(Event("leave", start, start + 1))
        elif before in (LEFT, RIGHT) and state == STILL:
            log.append(Event("stop", start, start + 1))
        if state in names:
            log.append(Event(names[state], start, end))
        before = state
    return tuple(log)
