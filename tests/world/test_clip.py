"""The pixels, the id map and the records of a clip agree, for any seed, length and size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virst_cli.errors import UsageError
from virst_cli.world import COLOURS, EVENTS, KINDS, SIZES, STATES, TYPES, Clip, Event, make_clip
from virst_cli.world.render import _background, render_scene
from virst_cli.world.scene import Actor, draw_scene
from virst_cli.world.sprites import PHASES, sprite
from virst_cli.world.things import STILL, Thing


def test_the_same_seed_gives_the_same_clip() -> None:
    first, again, other = make_clip(7), make_clip(7), make_clip(8)
    assert np.array_equal(first.frames, again.frames) and np.array_equal(first.ids, again.ids)
    assert first.sentences == again.sentences
    assert [t.events for t in first.things] == [t.events for t in again.things]
    assert not np.array_equal(first.frames, other.frames)


def test_a_seed_gives_the_same_clip_whatever_was_drawn_before() -> None:
    first = make_clip(7).frames
    _background.cache_clear()
    make_clip(123)
    assert np.array_equal(first, make_clip(7).frames)


def test_a_generator_is_advanced_so_that_every_clip_is_new() -> None:
    rng = np.random.default_rng(1)
    assert not np.array_equal(make_clip(rng).frames, make_clip(rng).frames)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    frames=st.sampled_from([1, 2, 3, 5, 7, 8, 13, 20, 21, 50]),
    width=st.integers(16, 160),
    height=st.integers(16, 160),
    sentences=st.integers(1, 6),
)
def test_a_clip_has_the_promised_form_at_any_length_and_size(
    seed: int, frames: int, width: int, height: int, sentences: int
) -> None:
    clip = make_clip(seed, frames=frames, size=(width, height), sentences=sentences)
    assert clip.frames.shape == (frames, height, width, 3) and clip.frames.dtype == np.uint8
    assert clip.ids.shape == (frames, height, width) and clip.ids.dtype == np.uint8
    assert clip.ids.max() <= len(clip.things) <= 4
    for thing in clip.things:
        assert thing.kind in KINDS and thing.colour in COLOURS and thing.size in SIZES
        assert thing.path.shape == (frames, 2) and thing.path.dtype == np.float32
        assert thing.states.shape == (frames,) and thing.states.dtype == np.uint8 and thing.states.max() < len(STATES)
        assert all(e.name in EVENTS and 0 <= e.start < e.end <= frames for e in thing.events)
    assert 1 <= len(clip.sentences) <= sentences
    assert len({s.text for s in clip.sentences}) == len(clip.sentences)
    assert all(s.type in TYPES and (s.type == "nothing") == (not s.targets) for s in clip.sentences)


def test_clips_of_a_thousand_frames_can_be_drawn() -> None:
    clip = make_clip(3, frames=1000, size=(32, 32))
    busy = [t for t in clip.things if len(set(t.states.tolist())) > 1]
    assert all((t.states[700:] != t.states[700]).any() for t in busy)  # what moves keeps doing things to the end


def test_the_mask_is_where_the_sprite_is() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        actors = draw_scene(rng, frames=8, width=128, height=128)
        seed = int(rng.integers(1 << 30))
        frames, ids = render_scene(np.random.default_rng(seed), actors, times=range(8), width=128, height=128)
        empty, nothing = render_scene(np.random.default_rng(seed), [], times=range(8), width=128, height=128)
        changed = (frames != empty).any(axis=-1)
        assert not nothing.any()
        assert changed[ids > 0].mean() > 0.99  # a pixel may happen to have the background's colour
        soft = changed & (ids == 0)  # half-seen edges only
        assert soft.sum() < 0.12 * (ids > 0).sum()


def test_visible_pixels_lie_around_the_path(clips: list[Clip]) -> None:
    for clip in clips[:100]:
        for i, thing in enumerate(clip.things):
            reach = 18.5 if thing.size == "small" else 30.5
            for t in range(8):
                y, x = np.nonzero(clip.ids[t] == i + 1)
                assert (abs(x + 0.5 - thing.path[t, 0]) <= reach).all() and (abs(y + 0.5 - thing.path[t, 1]) <= reach).all()


def test_a_thing_is_seen_in_exactly_the_frames_in_which_it_is_not_absent(clips: list[Clip]) -> None:
    for clip in clips:
        for i, thing in enumerate(clip.things):
            seen = (clip.ids == i + 1).any(axis=(1, 2))
            assert np.array_equal(seen, thing.states != STATES.index("absent"))


def test_who_stands_lower_covers_the_others_and_their_masks_do_not_overlap() -> None:
    def still(kind: str, colour: str, x: float, y: float) -> Actor:
        path = np.array([[x, y]], dtype=np.float32)
        thing = Thing(kind, colour, "large", path, np.array([STILL], dtype=np.uint8), (Event("still", 0, 1),))
        return Actor(thing, 60, y, np.array([False]), 0)

    near, far = still("box", "red", 60, 80), still("ball", "blue", 50, 60)
    for actors in ([near, far], [far, near]):
        frames, ids = render_scene(np.random.default_rng(0), actors, times=range(1), width=128, height=128)
        box = sprite("box", "red", 0, 60, False).solid
        assert np.array_equal(ids[0, 50:110, 30:90] == actors.index(near) + 1, box)
        ball = ids[0] == actors.index(far) + 1
        assert 0 < ball.sum() < sprite("ball", "blue", 0, 60, False).solid.sum()
        assert frames[0][ball].mean(axis=0).argmax() == 2  # blue is seen where the ball's mask is


def test_masks_are_the_union_of_the_targets(clips: list[Clip]) -> None:
    for clip in clips[:50]:
        for sentence in clip.sentences:
            expected = np.isin(clip.ids, [i + 1 for i in sentence.targets])
            assert np.array_equal(clip.masks(sentence), expected) and clip.masks(sentence).dtype == np.bool_


def test_large_is_clearly_larger_than_small_for_every_kind() -> None:
    for kind in KINDS:
        small, large = (sprite(kind, "red", 0, side, False).solid for side in (36, 58))
        heights = [solid.any(axis=1).sum() for solid in (small, large)]
        assert heights[1] >= 1.55 * heights[0]  # a pixel of rounding either way
        assert large.sum() >= 2.4 * small.sum()


def test_no_two_kinds_have_the_same_outline() -> None:
    outlines = {kind: sprite(kind, "red", 0, 48, False).solid for kind in KINDS}
    for a in KINDS:
        for b in KINDS:
            if a != b:
                both = (outlines[a] & outlines[b]).sum() / (outlines[a] | outlines[b]).sum()
                assert both < 0.9, (a, b)  # ball and box share most of their square


def test_every_pose_stays_inside_its_square() -> None:
    for kind, count in PHASES.items():
        for phase in range(count):
            solid = sprite(kind, "white", phase, 60, False).solid
            assert not (solid[0].any() or solid[-1].any() or solid[:, 0].any() or solid[:, -1].any()), (kind, phase)


def test_what_cannot_be_drawn_is_said_so() -> None:
    with pytest.raises(UsageError, match="unknown sentence types"):
        make_clip(0, types=["poetry"])
    with pytest.raises(UsageError, match="at least"):
        make_clip(0, frames=0)
    with pytest.raises(UsageError, match="too few"):
        make_clip(0, frames=2, types=["order", "motion"])
