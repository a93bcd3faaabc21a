"""The overlay of a frame shows every style at the right place, for any mask."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virst_cli.outputs.overlay import Overlay
from virst_cli.outputs.palette import colours
from virst_cli.outputs.style import NAMES, Style

SKY_BLUE = np.array([86, 180, 233])
STYLES = [*NAMES, "fill,outline", "spotlight,outline", "spotlight,fill,outline,side-by-side"]


def frame(size, value=100):
    return np.full((size[1], size[0], 3), value, np.uint8)


def box(size, left, top, right, bottom):
    mask = np.zeros((1, size[1], size[0]), np.bool_)
    mask[0, top:bottom, left:right] = True
    return mask


def painter(size, style="fill,outline", count=1, **options):
    return Overlay(size, ["a dog"] * count, colours(count), style=Style.parse(style), **({"label": False} | options))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 70), st.integers(1, 70), st.sampled_from(STYLES), st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "empty", "full", "dot"]), st.booleans(),
)  # fmt: skip
def test_any_mask_on_any_frame_is_painted_and_nothing_given_is_changed(width, height, style, seed, kind, label):
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (height, width, 3), np.uint8)
    masks = {
        "noise": random.random((2, height, width)) > 0.5,
        "empty": np.zeros((2, height, width), np.bool_),
        "full": np.ones((2, height, width), np.bool_),
        "dot": np.arange(2 * height * width).reshape(2, height, width) % (height * width) == 0,
    }[kind]
    rgb.flags.writeable = masks.flags.writeable = False
    picture = painter((width, height), style, count=2, label=label).paint(rgb, masks)
    side = "side-by-side" in style
    assert (picture.shape, picture.dtype) == ((height, width * (2 if side else 1), 3), np.uint8)
    assert picture.flags.c_contiguous
    if side:
        assert np.array_equal(picture[:, :width], rgb)
    if kind == "empty" and not label and "spotlight" not in style:
        assert np.array_equal(picture[:, -width:], rgb)


def test_fill_tints_inside_by_the_opacity_and_leaves_the_outside():
    size = (100, 80)
    picture = painter(size, "fill", opacity=0.5).paint(frame(size), box(size, 30, 20, 70, 60))
    assert np.abs(picture[40, 50] - (50 + SKY_BLUE / 2)).max() <= 1
    assert (picture[:, :25] == 100).all()
    assert (picture[:15] == 100).all()


@pytest.mark.parametrize("background", [0, 255])
def test_the_outline_is_clear_on_black_and_on_white(background):
    size = (854, 480)
    picture = painter(size, "outline").paint(frame(size, background), box(size, 300, 100, 500, 300))
    across = picture[200, 290:310].astype(int)
    assert np.abs(across - (SKY_BLUE + (255 - SKY_BLUE) * 0.18)).max(axis=1).min() <= 3  # the line
    assert across.sum(axis=1).min() <= 0.5 * 3 * 255  # its dark rim
    assert (picture[200, 400] == background).all()


def test_the_outline_is_smooth_on_a_ragged_edge():
    size = (300, 300)
    mask = np.tri(300, dtype=np.bool_)[None]
    picture = painter(size, "outline").paint(frame(size, 255), mask)
    along = np.array([picture[at, at] for at in range(50, 250)]).astype(int)
    assert along.std(axis=0).max() < 4  # a ragged edge would alternate between line and background


def test_there_is_no_line_where_the_object_leaves_the_frame():
    size = (854, 480)
    picture = painter(size, "outline").paint(frame(size), box(size, 0, 100, 200, 300))
    assert (picture[200, 0] == 100).all()


def test_an_object_of_one_pixel_can_be_seen():
    size = (854, 480)
    picture = painter(size).paint(frame(size), box(size, 400, 200, 401, 201))
    assert np.abs(picture.astype(int) - 100).max() >= 10


def test_a_spotlight_leaves_the_object_and_dims_the_rest():
    size = (100, 80)
    rgb = frame(size)
    rgb[..., 0] = 200
    picture = painter(size, "spotlight").paint(rgb, box(size, 30, 20, 70, 60))
    assert (picture[40, 50] == rgb[40, 50]).all()
    assert picture[5, 5].max() < 80
    assert np.ptp(picture[5, 5].astype(int)) < 20


def test_every_sentence_has_its_colour():
    size = (200, 100)
    masks = np.concatenate([box(size, 10, 10, 80, 90), box(size, 120, 10, 190, 90)])
    picture = painter(size, "fill", count=2, opacity=1.0).paint(frame(size), masks)
    assert [tuple(picture[50, x].tolist()) for x in (45, 155)] == colours(2)


def test_the_label_never_moves():
    size = (854, 480)
    labelled = painter(size, "outline", label=True)
    first = labelled.paint(frame(size), box(size, 300, 200, 400, 300))
    second = labelled.paint(frame(size), box(size, 500, 300, 600, 400))
    assert np.array_equal(first[:100], second[:100])
    assert (first[:100] != 100).any()


def test_a_frame_of_480_lines_takes_less_than_a_sixtieth_of_a_second():
    size = (854, 480)
    rgb, masks, overlay = frame(size), box(size, 200, 100, 500, 400), painter(size, label=True)
    durations = []
    for _ in range(10):
        before = time.perf_counter()
        overlay.paint(rgb, masks)
        durations.append(time.perf_counter() - before)
    assert min(durations) < 1 / 60
