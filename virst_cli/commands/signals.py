"""Turns Ctrl-C and `kill` into an exception, so that files are closed and every ffmpeg is stopped before the program ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """SIGINT or SIGTERM arrived. It is not an `Exception`, so that no handler of errors catches it and continues."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number  # 130 for Ctrl-C, 143 for kill: what shells expect


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM raise `Stopped`; later signals are ignored, so that cleaning up is not disturbed."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)
    yield
