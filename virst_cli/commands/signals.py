"""Ctrl-C and `kill` as exceptions, so that files are closed and every ffmpeg is ended on the way out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """A signal asked us to stop. Not an `Exception`: nothing on the way may take it for a failure and go on."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number  # 130 for Ctrl-C, 143 for kill: what shells expect


@contextmanager
def stopping() -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM raise `Stopped`; further ones do not disturb the clearing up."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)
    yield
