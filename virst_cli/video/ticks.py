"""When a written frame is shown, in whole ticks of the file's clock.

The clock is chosen so that a frame of the constant rate lasts a whole number of ticks: 24000/1001 stays exactly that,
however long the film, and a variable rate is kept to within a few microseconds.
"""

import math
from fractions import Fraction

FINEST = 60_000  # at least so many ticks a second: times are then off by 8 microseconds at most
SNAP = Fraction(6, 10_000)  # seconds; Matroska files round times to 1 ms, which puts a constant rate 0.5 ms off its grid


class Ticks:
    """Turns the times of a video's frames, in their order, into increasing ticks."""

    def __init__(self, rate: Fraction) -> None:
        """rate: frames per second, which most frames are expected to follow."""
        self._frame = rate.denominator * math.ceil(Fraction(FINEST, rate.numerator))
        self.a_second = int(rate * self._frame)
        self._first: Fraction | None = None
        self._latest = -1

    def of(self, time: Fraction) -> int:
        """The tick at which a frame is shown: on the grid of the rate if its time, in seconds, is near that."""
        if self._first is None:
            self._first = time = max(time, Fraction(0))
        since = (time - self._first) * self.a_second
        number = round(since / self._frame)
        if abs(since - number * self._frame) <= SNAP * self.a_second:
            since = Fraction(number * self._frame)
        self._latest = max(round(self._first * self.a_second) + round(since), self._latest + 1)
        return self._latest
