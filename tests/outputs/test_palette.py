"""Every sentence has a colour that differs from the others."""

from itertools import combinations

import numpy as np
import pytest

from virst_cli.errors import UsageError
from virst_cli.outputs.palette import OKABE_ITO, colours, parse_colour


def test_one_sentence_is_sky_blue_and_eight_have_the_colours_of_okabe_and_ito():
    assert colours(1) == [(86, 180, 233)]
    assert set(colours(8)) == set(OKABE_ITO.values())


def test_thirty_sentences_have_thirty_colours_none_close_to_another():
    made = colours(30)
    assert len(set(made)) == 30
    assert min(np.linalg.norm(np.subtract(a, b)) for a, b in combinations(made, 2)) > 40


def test_more_sentences_than_colours_still_get_one_each():
    assert len(colours(1000)) == 1000


def test_more_sentences_do_not_change_the_colours_of_the_first():
    assert colours(30)[:9] == colours(9)


def test_chosen_colours_come_first_and_are_not_given_twice():
    assert colours(3, [(230, 159, 0)]) == [(230, 159, 0), (86, 180, 233), (204, 121, 167)]


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#ff8000", (255, 128, 0)),
        ("#F80", (255, 136, 0)),
        (" Sky-Blue ", (86, 180, 233)),
        ("tomato", (255, 99, 71)),
        ("#ff800080", (255, 128, 0)),
    ],
)
def test_a_colour_is_read(text, colour):
    assert parse_colour(text) == colour


@pytest.mark.parametrize("text", ["", "#12", "nice", "#gggggg", "🙂", "rgb(", "x" * 300])
def test_text_that_is_not_a_colour_is_refused_with_the_names_of_the_palette(text):
    with pytest.raises(UsageError, match=r"#rrggbb.*sky-blue"):
        parse_colour(text)
