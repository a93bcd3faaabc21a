"""Times become ticks without drift."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virst_cli.video.ticks import Ticks

RATES = [
    Fraction(24000, 1001),
    Fraction(30000, 1001),
    Fraction(25),
    Fraction(15, 2),
    Fraction(240),
    Fraction(2987, 100),
]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("decimals", [3, 6, 12])
def test_a_constant_rate_stays_constant_however_times_were_rounded(rate, decimals):
    ticks = Ticks(rate)
    shown = [ticks.of(Fraction(round(float(i / rate), decimals))) for i in range(0, 300_000, 97)]
    frame = ticks.a_second / rate
    assert frame.denominator == 1
    assert shown == [i * frame for i in range(0, 300_000, 97)]


@given(st.sampled_from(RATES), st.lists(st.floats(0.002, 5), min_size=1, max_size=30))
def test_varying_times_are_kept_to_the_millisecond(rate, steps):
    ticks = Ticks(rate)
    time = Fraction(0)
    for step in steps:
        time += Fraction(step)
        assert abs(Fraction(ticks.of(time), ticks.a_second) - time) < Fraction(1, 1000)


@given(st.lists(st.floats(-1, 5), min_size=2, max_size=30))
def test_ticks_grow_whatever_the_times(times):
    ticks = Ticks(Fraction(25))
    shown = [ticks.of(Fraction(time)) for time in times]
    assert shown[0] >= 0
    assert all(later > earlier for earlier, later in zip(shown, shown[1:]))  # noqa: B905, RUF007
