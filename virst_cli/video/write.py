"""Videos out: frames with their times into a file that is there whole or not at all.

ffmpeg encodes from a pipe into `<name>.partial` beside the target; only when it has ended well, and the bytes are on
the disk, does the file get its name. Frames keep the times of the source: a constant rate stays exactly constant, a
variable one varies as it did.
"""

import contextlib
import errno
import os
import subprocess
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from virst_cli.errors import DiskFull, OutputError, VirstError
from virst_cli.files import shown
from virst_cli.video import matroska, sound, source
from virst_cli.video.ffmpeg import Ffmpeg
from virst_cli.video.matroska import Pixels
from virst_cli.video.ticks import Ticks

if TYPE_CHECKING:
    from typing_extensions import Self

_CHANNELS: dict[Pixels, tuple[int, ...]] = {"rgb": (3,), "gray": (), "rgba": (4,)}
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_LAST_WORDS = 10  # seconds for an ffmpeg that has closed its pipe to say why


class VideoWriter:
    """A video being written; a context manager that finishes it, or after an exception leaves nothing behind.

    `rgb` becomes H.264 in MP4; so does `gray`, finely enough that a mask of 0 and 255 comes back exactly by asking for
    128 and above. `rgba` becomes ProRes 4444 in MOV, the one format with alpha that Final Cut, Premiere, Resolve and
    After Effects all open.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        rate: Fraction,
        pixels: Pixels = "rgb",
        audio: Path | None = None,
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        """Opens a video of `size` (width, height). A file of that name is replaced in the end, not before.

        `rate` is the source's frames a second; `audio` a video whose sound is carried over. `start` and `end`, in
        seconds, are the range of the source that is shown: its time `start` becomes 0.
        """
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._size, self._rate, self._pixels = size, rate, pixels
        self._ticks = Ticks(rate)
        self._start = Fraction(start)
        self._container = "mov" if pixels == "rgba" else "mp4"
        self._sound = sound.arguments(audio, self._container, start, end)
        self._child: Ffmpeg | None = None  # started by the first frame
        self._open = True
        try:
            self._partial.unlink(missing_ok=True)  # so as not to write through a link to somewhere else
            self._partial.touch()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise self._error(error) from None

    def write(self, image: np.ndarray, time: float) -> None:
        """Adds a frame: uint8 (H,W,3) for `rgb`, (H,W) for `gray`, (H,W,4) for `rgba`.

        `time`: seconds since the source's start. A frame that isn't later than the one before is shown right after it.
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
        """Finishes the file and gives it its name. Raises `DiskFull` or `OutputError`, and leaves none, if it can't."""
        if not self._open:
            return
        try:
            self._finish()
        except BaseException:  # Ctrl-C too
            self.abort()
            raise
        self._open = False

    def abort(self) -> None:
        """Ends ffmpeg at once and removes what there is."""
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
        clock = self._ticks.a_second
        sound_in, sound_out = self._sound
        return Ffmpeg(
            [
                # ffmpeg has every input begin at 0: without an offset the delay would be lost
                *("-itsoffset", f"{float(first):.6f}", "-f", "matroska", "-i", "pipe:0", *sound_in),
                *("-map", "0:v:0", *sound_out, *_codec(self._pixels, self._size)),
                *("-fps_mode", "passthrough", "-enc_time_base", f"1:{clock}", "-video_track_timescale", str(clock)),
                *("-movflags", "+faststart", "-f", self._container, "-y", source.url(self._partial)),
            ],
            stdin=True,
        )

    def _send(self, child: Ffmpeg, data: bytes | memoryview) -> None:
        try:
            child.stdin.write(data)
        except OSError:  # ffmpeg has closed the pipe: it has given up
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LAST_WORDS)
            self.abort()
            raise self._error(_complaint(child)) from None

    def _finish(self) -> None:
        if self._child is None:
            raise self._error("there are no frames to write")
        with contextlib.suppress(OSError):  # its status tells more
            self._child.stdin.close()
        if self._child.wait() != 0:
            raise self._error(_complaint(self._child))
        try:
            with self._partial.open("rb+") as file:
                os.fsync(file.fileno())  # the bytes first, then the name: a power cut leaves a whole file or none
            self._partial.replace(self._path)
        except OSError as error:
            raise self._error(error) from None

    def _error(self, reason: OSError | ValueError | str) -> VirstError:
        text = (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)
        name = shown.shown(self._path)
        if any(os.strerror(code) in text for code in _NO_ROOM):
            return DiskFull(f"{name}: no room to write it ({text}); free some space and run again with --resume")
        return OutputError(f"{name}: can't be written: {text}")


def _complaint(child: Ffmpeg) -> str:
    return next(iter(child.errors), "ffmpeg ended without saying why")


def _codec(pixels: Pixels, size: tuple[int, int]) -> list[str]:
    exact = "flags=bicubic+accurate_rnd+full_chroma_int"
    if pixels == "rgba":
        return ["-vf", f"scale={exact},format=yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"]
    # 4:2:0 halves the colour planes and can't hold an odd side; 4:4:4 can, though fewer players show it
    layout = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
    # 4: even a mask of pure noise is off by 66 at most; 0 would be lossless, in a profile that browsers don't play
    quality = "4" if pixels == "gray" else "18"
    return [
        *("-vf", f"scale=out_color_matrix=bt709:out_range=tv:{exact},format={layout}"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", quality),  # half the time of "medium"
        *("-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    ]
