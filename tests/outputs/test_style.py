"""Styles can be combined, and unknown ones are refused."""

import pytest

from virst_cli.errors import UsageError
from virst_cli.outputs.style import DEFAULT, Style


def test_styles_can_be_combined():
    assert Style.parse("fill,outline") == DEFAULT
    assert Style.parse(" Outline , spotlight,") == Style(outline=True, spotlight=True)


def test_side_by_side_alone_includes_the_default_and_doubles_the_width():
    style = Style.parse("side-by-side")
    assert style == Style(fill=True, outline=True, side_by_side=True)
    assert style.size(853, 479) == (1706, 479)
    assert DEFAULT.size(853, 479) == (853, 479)


@pytest.mark.parametrize("text", ["", ",", "glow", "fill,glow", "side_by_side"])
def test_an_unknown_style_is_refused_with_a_list_of_styles(text):
    with pytest.raises(UsageError, match="fill, outline, spotlight, side-by-side"):
        Style.parse(text)
