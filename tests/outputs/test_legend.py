"""The label is readable, fits its frame, and accepts any text."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virst_cli.outputs import font
from virst_cli.outputs.font import legible
from virst_cli.outputs.legend import legend
from virst_cli.outputs.palette import colours

TEXT = st.text(st.characters(), max_size=300)
SIZES = [(1, 1), (2, 300), (128, 128), (228, 128), (256, 256), (257, 257), (854, 480), (480, 854), (3840, 2160)]


def drawn(sentences, size):
    return legend(sentences, colours(len(sentences)), size)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXT, min_size=1, max_size=12), st.sampled_from(SIZES), st.integers(1, 400))
def test_any_label_stays_within_the_frame_and_leaves_most_of_it_free(sentences, size, width):
    for frame in (size, (width, size[1])):
        label = drawn(sentences, frame)
        if label is not None:
            x, y = label.at
            assert x >= 0
            assert y >= 0
            assert x + label.picture.width <= frame[0]
            assert y + label.picture.height <= frame[1]
            assert label.picture.height <= frame[1] / 3 + 1


@pytest.mark.parametrize("size", [(128, 128), (228, 128), (854, 480), (480, 854), (1920, 1080)])
def test_the_label_of_a_sentence_is_small_and_shows_its_colour(size):
    label = drawn(["the dog that jumps last"], size)
    assert label.picture.height <= size[1] * 0.12
    pixels = np.asarray(label.picture)[..., :3].reshape(-1, 3).tolist()
    assert [86, 180, 233] in pixels
    assert max(min(pixel) for pixel in pixels) > 200  # the text


def test_a_long_sentence_is_cut_to_two_lines_on_a_large_frame_and_one_on_a_small_one():
    long = "the person who " + "really " * 100 + "jumps"
    short_pill = drawn(["x"], (854, 480)).picture
    assert short_pill.height < drawn([long], (854, 480)).picture.height < 2 * short_pill.height
    assert drawn([long], (128, 128)).picture.height == drawn(["x"], (128, 128)).picture.height


def test_a_small_frame_has_its_label_on_the_bottom_edge_and_a_large_one_in_the_corner():
    small, large = drawn(["x"], (228, 128)), drawn(["x"], (854, 480))
    assert (small.at[0], small.at[1] + small.picture.height, small.picture.width) == (0, 128, 228)
    assert max(large.at) < 0.05 * 480


def test_sentences_that_do_not_fit_are_summed_up_in_one_line():
    assert drawn(["x"] * 50, (854, 480)).picture.height <= 160
    assert drawn(["x"] * 50, (854, 480)).picture.height == drawn(["x"] * 60, (854, 480)).picture.height


def test_letters_that_no_font_has_become_question_marks(monkeypatch):
    monkeypatch.setattr(font, "SYSTEM_FONTS", ())
    assert legible("a狗b", 20)[0] == "a?b"


def test_control_characters_and_line_breaks_are_not_drawn():
    assert legible("a\n\tb\x00\x1b\udc80 \u202ec", 20)[0] == "a b c"
