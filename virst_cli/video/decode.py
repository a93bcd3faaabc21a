"""Decoding: one pass of ffmpeg over a file gives its frames, their times, and whether the file is whole.

Frames come through a pipe, their times from the lines that the `showinfo` filter logs in the same pass. Frames are neither
dropped nor doubled: a variable frame rate stays what it is.
"""

import queue
import re
import secrets
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from virst_cli.video import command_lines
from virst_cli.video.ffmpeg import Ffmpeg
from virst_cli.video.header import VideoHeader

if TYPE_CHECKING:
    from typing_extensions import Self

ROUNDING = Fraction(1, 1_000_000)  # seconds; ffmpeg prints the start of the clock in microseconds
SEEKABLE = ("mov", "matroska")  # containers with an index; elsewhere a jump may land late and lose frames
RUN_UP = 10  # seconds that are decoded before the time jumped to: covers the distance of key frames in nearly all files
TS_PACKETS = (188, 192, 204)  # bytes in a packet of a transport stream: as sent, on Blu-ray, with error correction

# Lines that mean missing or damaged frames: the demuxer or the decoder gave up on a packet. Other complaints of codecs do not
# count: they complain about many streams that play fine everywhere.
_DAMAGE = re.compile(r"^(?:\[[^\]]*\] )*\[(?:in#0|dec:)[^\]]*\] (?:\[(?:error|fatal)\] (.*)|\[warning\] (.*corrupt.*))")


class Decoding:
    """A pass over a file. As a context manager it ends ffmpeg on the way out."""

    def __init__(self, path: Path, header: VideoHeader, *, begin: float = 0.0) -> None:
        """Starts ffmpeg. begin: seconds; earlier frames may be left out, and some may come all the same."""
        self.count = 0  # frames decoded so far
        self._header = header
        self._size = path.stat().st_size
        self._times: queue.SimpleQueue[Fraction | None] = queue.SimpleQueue()  # None: no more
        self._damage = ""  # the first line that means damage
        # Lines of the log may quote the file, its name or its title; a random label can't occur in those.
        label = secrets.token_hex(8)
        prefix = rf"^\[showinfo@{label} @ \w+\] \[info\] "
        self._base_line = re.compile(prefix + r"config in time_base: (\d+/\d+)")
        self._time_line = re.compile(prefix + r"n: *\d+ pts: *(-?\d+|NOPTS) ")
        self._base, self._start = Fraction(1), header.start
        self._last = -1 / header.rate
        self._child = Ffmpeg(
            command_lines.decode_frames(
                path,
                stream=header.video,
                size=(header.width, header.height),
                seek=begin - RUN_UP if begin > RUN_UP and header.container.startswith(SEEKABLE) else None,
                label=label,
            ),
            stdout=True,
            each_line=self._note,
            at_end=lambda: self._times.put(None),
        )

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()

    def frames(self) -> Iterator[tuple[Fraction, np.ndarray]]:
        """One frame after another: its time in seconds since the start of the file, and its rgb (H,W,3) uint8."""
        while True:
            rgb = np.empty((self._header.height, self._header.width, 3), np.uint8)
            if not self._fill(rgb.data.cast("B")):
                return
            time = self._times.get()
            if time is None:  # ffmpeg was killed between the two
                return
            self.count += 1
            yield time, rgb

    def trouble(self) -> str:
        """What went wrong, once the last frame was read; empty if nothing did."""
        status = self._child.wait()
        if self._damage:
            return self._damage
        if status != 0:
            return self._child.errors[0] if self._child.errors else f"ffmpeg ended with status {status}"
        if self._header.container == "mpegts" and all(self._size % length for length in TS_PACKETS):
            return "the last packet is cut off"  # ffmpeg ignores that
        return ""

    def _fill(self, buffer: memoryview) -> bool:
        """Reads one frame; False if no whole one is left."""
        filled = 0
        while filled < len(buffer):
            got = self._child.stdout.readinto(buffer[filled:])  # type: ignore[attr-defined]  # IO[bytes] lacks it
            if not got:
                return False
            filled += got
        return True

    def _note(self, line: str) -> None:
        """Takes times and damage from a line of the log. Runs in the thread that reads the log."""
        if match := self._time_line.match(line):
            if match[1] == "NOPTS":  # raw streams have no times: one frame after another
                self._last += 1 / self._header.rate
            else:
                self._last = int(match[1]) * self._base - self._start
            self._times.put(self._last)
        elif match := self._base_line.match(line):
            self._base = Fraction(match[1])
            self._start = on_clock(self._header.start, self._base)
        elif match := _DAMAGE.match(line):
            self._damage = self._damage or match[1] or match[2]


def on_clock(start: Fraction, base: Fraction) -> Fraction:
    """The exact start of a clock of which ffmpeg prints microseconds: the tick next to it, if rounding explains the difference.

    start: seconds, as printed.
    base: seconds of a tick.

    >>> on_clock(Fraction("0.533367"), Fraction(1, 90000)) == Fraction(48003, 90000)
    True
    """
    tick = round(start / base) * base
    return tick if abs(tick - start) <= ROUNDING else start
