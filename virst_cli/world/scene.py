"""Which things are in a clip and what they do: few kinds, colours and roles, so that a sentence has to tell them apart.

Things are placed one after the other so that no two overlap much; one that finds no place is left out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virst_cli.world.motion import PEAK, SHORT, TIMED, ThingMotion, event_window, events_of, move
from virst_cli.world.things import ABSENT, COLOURS, KINDS, SIZES, Thing

SIDES = {"small": (34, 36), "large": (58, 60)}  # drawn side at 128 pixels; the figure fills 0.94 of it: 32 to 56 pixels
SHARED = 0.5  # of the clips have several things share a timed event, else sentences about order would be rare
OVERLAP = 0.4  # of the smaller of two boxes may be common in any frame
TRIES = 12  # places tried for a thing
CASTS = 4  # tried until two things have a place
Part = tuple[str, str, str, str, int | None]  # kind, colour, size, role, frame of its first event


@dataclass(frozen=True, eq=False)
class Actor:
    """A thing with what only its drawing needs."""

    thing: Thing
    side: int  # of the sprite, pixels
    base: float  # y of its centre when not in the air: who stands lower is nearer and covers the others
    faces_left: npt.NDArray[np.bool_]  # T
    gait: int  # offset of its steps in time


def order_margin(frames: int) -> int:
    """Frames between two events that are clearly one after the other."""
    return max(2, round(frames / 12))


def draw_scene(rng: np.random.Generator, *, frames: int, width: int, height: int, shared: float = SHARED) -> list[Actor]:
    """Two to four actors (one, if there is no room for more); `shared` of the scenes have a timed event in common."""
    for _ in range(CASTS):
        actors = _placed(rng, _cast(rng, frames, shared), frames=frames, width=width, height=height)
        if len(actors) > 1:
            break
    return [actors[i] for i in rng.permutation(len(actors))]


def _placed(rng: np.random.Generator, cast: list[Part], *, frames: int, width: int, height: int) -> list[Actor]:
    """The parts of the cast that find a place."""
    actors: list[Actor] = []
    boxes: list[npt.NDArray[np.float32]] = []
    for kind, colour, size, role, when in cast:
        for _ in range(TRIES):
            actor = _place(rng, kind, colour, size, role, when, frames=frames, width=width, height=height)
            box = _boxes(actor)
            if all(_overlap(box, other) <= OVERLAP for other in boxes):
                actors.append(actor)
                boxes.append(box)
                break
    return actors


def _cast(rng: np.random.Generator, frames: int, shared: float) -> list[Part]:
    """Who plays; those that share an event come first."""
    count = int(rng.choice((2, 3, 4), p=(0.2, 0.4, 0.4)))
    kinds = rng.permutation(KINDS)[: int(rng.integers(1, 4))]
    colours = rng.permutation(COLOURS)[: int(rng.integers(2, 4))]
    pool = ["still"] if frames < 2 else ["still", "left", "right"]
    timed = [role for role in TIMED if frames >= 7]
    roles = [str(r) for r in rng.permutation(pool + timed)[: int(rng.integers(1, 4))]]
    whens: list[int | None] = [None] * count
    acts = [roles[int(rng.integers(len(roles)))] for _ in range(count)]
    looks = [str(kinds[int(rng.integers(len(kinds)))]) for _ in range(count)]
    if timed and rng.random() < shared:
        role, together = str(rng.choice(timed)), 2 + int(count > 2 and rng.random() < 0.35)
        times = _apart(rng, role, frames, together)
        for i, when in enumerate(times):
            acts[i], whens[i] = role, when
            if rng.random() < 0.85:
                looks[i] = looks[0]
    plain = float(rng.choice((0.15, 0.5, 0.85)))  # how often a thing of this clip is large
    return [
        (
            looks[i],
            str(colours[int(rng.integers(len(colours)))]),
            SIZES[int(rng.random() < plain)],
            acts[i],
            whens[i],
        )
        for i in range(count)
    ]


def _apart(rng: np.random.Generator, role: str, frames: int, count: int) -> list[int]:
    """Up to `count` times for the event of `role`, clearly apart, in random order."""
    first, last = event_window(role, frames)
    gap = order_margin(frames)
    count = min(count, (last - first) // gap + 1)
    slack = np.sort(rng.integers(0, last - first - gap * (count - 1) + 1, size=count))
    return [int(t) for t in rng.permutation(first + slack + gap * np.arange(count))]


def _place(
    rng: np.random.Generator,
    kind: str,
    colour: str,
    size: str,
    role: str,
    when: int | None,
    *,
    frames: int,
    width: int,
    height: int,
) -> Actor:
    unit = min(width, height) / 128
    side = max(4, round(int(rng.choice(SIDES[size])) * unit))
    motion: ThingMotion = move(rng, role, frames=frames, width=width, side=side, unit=unit, when=when)
    top = side / 2 + (PEAK[1] * unit if role == "jump" else 0)
    base = float(rng.uniform(top, max(top + 1, height - side / 2)))
    path = np.stack([motion.x, base - motion.lift], axis=1).astype(np.float32)  # T, 2
    thing = Thing(kind, colour, size, path, motion.states, events_of(motion.states))
    return Actor(thing, side, base, motion.faces_left, int(rng.integers(4)))


def _boxes(actor: Actor) -> npt.NDArray[np.float32]:
    """T, 4: x0, y0, x1, y1 of the figure; far away while absent."""
    half = 0.44 * actor.side
    boxes = np.concatenate([actor.thing.path - half, actor.thing.path + half], axis=1)
    boxes[actor.thing.states == ABSENT] = -1e6
    return boxes.astype(np.float32)


def _overlap(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """The largest share of the smaller box that the two have in common in any frame.

    Of a long clip only a tenth of the frames may be worse: two walkers have to pass each other now and then.
    """
    common = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])  # T, 2
    area = np.maximum(common, 0).prod(axis=1)
    smaller = np.minimum((a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1))
    share = area / np.maximum(smaller, 1e-6)
    return float(share.max() if len(share) <= SHORT else np.quantile(share, 0.9))
