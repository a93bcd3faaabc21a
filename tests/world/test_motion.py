"""States, paths and events tell the same story, and short clips show it clearly."""

import numpy as np
import pytest

from virst_cli.world import Clip
from virst_cli.world.motion import ThingMotion, events_of, move
from virst_cli.world.scene import order_margin
from virst_cli.world.things import ABSENT, AIR, LEFT, RIGHT, STILL, Event


def _motion(role: str, seed: int, side: int = 60) -> ThingMotion:
    return move(np.random.default_rng(seed), role, frames=8, width=128, side=side, unit=1.0)


@pytest.mark.parametrize("role", ["left", "right"])
def test_a_mover_covers_25_pixels_in_8_frames_and_stays_inside(role: str) -> None:
    for seed in range(100):
        x = _motion(role, seed).x
        assert (x[-1] - x[0]) * (1 if role == "right" else -1) >= 25
        assert x.min() >= 29.9 and x.max() <= 98.1


def test_a_jump_lasts_3_or_4_frames_and_is_at_least_14_pixels_high() -> None:
    for seed in range(100):
        motion = _motion("jump", seed)
        air = np.flatnonzero(motion.states == AIR)
        assert len(air) in (3, 4) and np.ptp(air) == len(air) - 1 and air[0] > 0 and air[-1] < 7
        assert motion.lift.max() >= 14 and not motion.lift[motion.states != AIR].any()


def test_who_enters_or_leaves_does_so_at_a_side() -> None:
    for seed in range(100):
        for role in ("enter", "leave"):
            motion = _motion(role, seed)
            seen = np.flatnonzero(motion.states != ABSENT)
            assert 3 <= len(seen) < 8 and seen[0 if role == "leave" else -1] == (0 if role == "leave" else 7)
            at_side = motion.x[seen[0 if role == "enter" else -1]]
            assert at_side < 15 or at_side > 113
            outside = motion.x[motion.states == ABSENT]
            assert ((outside <= -30) | (outside >= 158)).all()


def test_events_are_read_off_the_states() -> None:
    states = np.array([ABSENT, LEFT, LEFT, STILL, AIR, AIR, STILL, RIGHT, ABSENT], dtype=np.uint8)
    assert events_of(states) == (
        Event("enter", 1, 2),
        Event("left", 1, 3),
        Event("stop", 3, 4),
        Event("still", 3, 4),
        Event("jump", 4, 6),
        Event("still", 6, 7),
        Event("right", 7, 8),
        Event("leave", 8, 9),
    )


def test_the_path_moves_as_the_states_say(clips: list[Clip], long_clips: list[Clip]) -> None:
    for clip in clips + long_clips:
        for thing in clip.things:
            step = np.diff(thing.path[:, 0])
            now, then = thing.states[:-1], thing.states[1:]
            seen = (now != ABSENT) & (then != ABSENT)
            assert (step[seen & (now == LEFT)] < 0).all() and (step[seen & (now == RIGHT)] > 0).all()
            assert not step[seen & (now == STILL)].any()
            ground = thing.path[(thing.states != AIR) & (thing.states != ABSENT), 1]
            assert np.ptp(ground) < 0.01 and (thing.path[thing.states == AIR, 1] < ground[0]).all()


def test_in_long_clips_things_are_in_view_most_of_the_time(long_clips: list[Clip]) -> None:
    assert np.mean([(t.states != ABSENT).mean() for clip in long_clips for t in clip.things]) > 0.8


def test_in_a_third_of_the_clips_two_of_a_kind_share_an_event_at_different_times(clips: list[Clip]) -> None:
    def shares(clip: Clip) -> bool:
        for name in ("jump", "stop", "enter", "leave"):
            starts: dict[str, list[int]] = {}
            for t in clip.things:
                starts.setdefault(t.kind, []).extend(e.start for e in t.events if e.name == name)
            if any(len(s) > 1 and max(s) - min(s) >= order_margin(8) for s in starts.values()):
                return True
        return False

    assert np.mean([shares(clip) for clip in clips]) > 0.3
