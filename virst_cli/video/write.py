"""Writing a video: frames with their times become a file that is there whole, or not at all.

ffmpeg encodes from a pipe into `<name>.partial` beside the target; only when it has ended well, and the bytes are on the disk,
does the file get its name. Frames keep the times of the source: a constant rate stays exactly constant, a variable one varies as
it did.
"""

import contextlib
import subprocess
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from virst_cli.files.atomic import commit, partial, write_error
from virst_cli.video import command_lines, matroska
from virst_cli.video.audio import AudioTrack
from virst_cli.video.ffmpeg import Ffmpeg
from virst_cli.video.matroska import Pixels
from virst_cli.video.ticks import Ticks

if TYPE_CHECKING:
    from typing_extensions import Self

_CHANNELS: dict[Pixels, tuple[int, ...]] = {"rgb": (3,), "gray": (), "rgba": (4,)}
_EXIT_TIMEOUT = 10  # seconds for an ffmpeg that has closed its pipe to say why


class VideoWriter:
    """A video being written; as a context manager it finishes the file, or leaves nothing behind after an exception.

    Pixels `rgb` become H.264 in MP4. So do `gray` ones, finely enough that a mask of 0 and 255 comes back exactly by asking for
    128 and above. `rgba` becomes ProRes 4444 in MOV, the one format with alpha that Final Cut, Premiere, Resolve and After
    Effects all open.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        rate: Fraction,
        pixels: Pixels = "rgb",
        audio: AudioTrack | None = None,
        start: float = 0.0,
    ) -> None:
        """Prepares the file; an existing one of that name is replaced when the new one is finished, not before.

        size: (width, height) of the frames, in pixels.
        rate: frames per second of the source.
        pixels: of the frames.
        audio: sound to carry over, see `Video.audio`.
        start: seconds; this time of the source becomes 0.
        Raises OutputError or DiskFull if the file can't be written.
        """
        self._path = path
        self._partial = partial(path)
        self._size, self._rate, self._pixels = size, rate, pixels
        self._ticks = Ticks(rate)
        self._start = Fraction(start)
        self._container = "mov" if pixels == "rgba" else "mp4"
        self._audio = audio
        self._child: Ffmpeg | None = None  # started by the first frame
        self._open = True
        try:
            self._partial.unlink(missing_ok=True)  # so as not to write through a link to somewhere else
            self._partial.touch()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise write_error(path, error) from None

    def write(self, image: np.ndarray, time: float) -> None:
        """Adds a frame.

        image: uint8 (H,W,3) for `rgb`, (H,W) for `gray`, (H,W,4) for `rgba`.
        time: seconds since the start of the source. A frame that isn't later than the one before is shown right after it.
        """
        shape = (self._size[1], self._size[0], *_CHANNELS[self._pixels])
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(f"a frame of {image.dtype} {image.shape} in a video of uint8 {shape}")
        shown = Fraction(self._ticks.of(Fraction(time) - self._start), self._ticks.a_second)
        if self._child is None:
            self._child = self._start_encoder(shown)
            self._send(self._child, matroska.head(*self._size, self._pixels, self._rate))
        self._send(self._child, matroska.frame_head(round(shown * 1_000_000_000), image.nbytes))
        self._send(self._child, np.ascontiguousarray(image).data)

    def close(self) -> None:
        """Finishes the file and gives it its name. If that fails it raises DiskFull or OutputError, and leaves no file."""
        if not self._open:
            return
        try:
            self._finish()
        except BaseException:  # Ctrl-C too
            self.abort()
            raise
        self._open = False

    def abort(self) -> None:
        """Ends ffmpeg at once and deletes the unfinished file."""
        if self._open:
            self._open = False
            if self._child is not None:
                self._child.kill()
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _start_encoder(self, first: Fraction) -> Ffmpeg:
        """Starts ffmpeg for a video whose first frame is shown `first` seconds after its sound begins."""
        arguments = command_lines.encode_video(
            self._partial,
            size=self._size,
            pixels=self._pixels,
            container=self._container,
            delay=first,
            clock=self._ticks.a_second,
            audio=self._audio,
        )
        return Ffmpeg(arguments, stdin=True)

    def _send(self, child: Ffmpeg, data: bytes | memoryview) -> None:
        try:
            child.stdin.write(data)
        except OSError:  # ffmpeg has closed the pipe: it has given up
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_EXIT_TIMEOUT)
            self.abort()
            raise write_error(self._path, _first_error(child)) from None

    def _finish(self) -> None:
        if self._child is None:
            raise write_error(self._path, "there are no frames to write")
        with contextlib.suppress(OSError):  # its exit status tells more
            self._child.stdin.close()
        if self._child.wait() != 0:
            raise write_error(self._path, _first_error(self._child))
        try:
            commit(self._partial, self._path)
        except OSError as error:
            raise write_error(self._path, error) from None


def _first_error(child: Ffmpeg) -> str:
    return next(iter(child.errors), "ffmpeg ended without saying why")
