"""Which frames the model looks at."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virst_cli.tracking.frame_selection import evenly_spaced, segment_centres

LENGTHS = st.integers(1, 5000)


@given(LENGTHS)
def test_a_whole_number_of_clips_is_chosen(length):
    chosen = segment_centres(length)
    assert len(chosen) % 4 == 0
    assert 8 <= len(chosen) <= 64


@given(st.integers(9, 5000), st.integers(8, 128))
def test_as_many_frames_as_the_limit_and_the_length_allow(length, limit):
    assert len(segment_centres(length, limit)) == 4 * (min(limit, length) // 4)


@given(LENGTHS)
def test_chosen_frames_exist_and_ascend(length):
    chosen = segment_centres(length)
    assert 0 <= chosen[0] <= chosen[-1] < length
    steps = [later - earlier for earlier, later in itertools.pairwise(chosen)]
    assert all(step >= (1 if length >= 8 else 0) for step in steps)


@given(st.integers(9, 5000))
def test_each_frame_lies_in_its_own_segment_and_the_ends_are_covered(length):
    chosen = segment_centres(length)
    count = len(chosen)
    for i, frame in enumerate(chosen):
        assert i * length // count <= frame < (i + 1) * length // count
    assert chosen[0] <= length / count
    assert length - 1 - chosen[-1] <= length / count


@pytest.mark.parametrize("length", range(8, 65, 4))
def test_up_to_64_frames_all_are_taken_where_clips_come_out_even(length):
    assert segment_centres(length) == list(range(length))


@given(st.integers(1, 8))
def test_short_videos_repeat_their_last_frame(length):
    assert segment_centres(length) == list(range(length)) + [length - 1] * (8 - length)


@pytest.mark.parametrize(("length", "limit"), [(0, 64), (-1, 64), (10, 3)])
def test_nothing_to_choose_from_is_an_error(length, limit):
    with pytest.raises(ValueError, match="to choose"):
        segment_centres(length, limit)


@given(st.integers(0, 500), st.integers(1, 64))
def test_positions_are_spread_as_the_spec_says(n, t):
    chosen = evenly_spaced(n, t)
    if n <= t:
        assert chosen == list(range(n))
    else:
        assert chosen == [int((j + 0.5) * n / t) for j in range(t)]
        assert all(later > earlier for earlier, later in itertools.pairwise(chosen))
        assert chosen[-1] < n
