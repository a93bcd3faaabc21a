"""A video, opened once: what it is, its frames, its sound. A file, or a folder of pictures."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from virst_cli.errors import VideoError
from virst_cli.files.shown import shown
from virst_cli.video import frame_folder
from virst_cli.video.audio import AudioTrack
from virst_cli.video.decode import Decoding
from virst_cli.video.header import VideoHeader, read_header
from virst_cli.video.source import is_folder

TOLERANCE = Fraction(1, 2_000_000)  # seconds; times are compared exactly, but users and clocks write microseconds


@dataclass(frozen=True)
class VideoInfo:
    """A video, as its container describes it."""

    path: Path
    width: int  # display size in pixels: rotation and pixel aspect applied
    height: int
    rate: Fraction  # frames per second, such as 24000/1001; the average where it varies
    frames: int | None  # as the container claims, which may be wrong; None where it claims nothing
    duration: float | None  # seconds, of the longest stream
    has_audio: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded frame."""

    index: int  # from 0, within the range asked for
    time: float  # seconds since the start of the source
    rgb: np.ndarray  # (H,W,3) uint8, at display size


class TruncatedVideo(VideoError):
    """A truncated or damaged video; raised after its last good frame."""

    def __init__(self, message: str, frames: int) -> None:
        """frames: that were read until then."""
        super().__init__(message)
        self.frames = frames


class Video:
    """A video file, or a folder of frames. `Video.open` makes one; the file is examined then, and not again.

    path: of the file or folder.
    info: size, rate, and what else the container says.
    """

    def __init__(self, info: VideoInfo, source: VideoHeader | Sequence[Path]) -> None:
        """source: the header of a file, or the pictures of a folder in their order."""
        self.path, self.info = info.path, info
        self._source = source

    @staticmethod
    def open(path: Path) -> "Video":
        """Examines a video file or a folder of frames. Raises VideoError, within 5 seconds, if it is neither."""
        if is_folder(path):
            files = frame_folder.frame_files(path)
            width, height = frame_folder.common_size(files)
            rate, count = frame_folder.RATE, len(files)
            return Video(VideoInfo(path, width, height, rate, count, float(count / rate), has_audio=False), files)
        header = read_header(path)
        has_audio = header.audio is not None
        info = VideoInfo(
            path, header.width, header.height, header.rate, header.claimed_frames, header.duration, has_audio=has_audio
        )  # fmt: skip
        return Video(info, header)

    def frames(self, start: float = 0.0, end: float | None = None) -> Generator[Frame, None, None]:
        """The frames in order, decoded one at a time: those with `start <= time < end`, in seconds.

        Rotation and pixel aspect are applied to files; a folder's pictures are taken as they are.
        Raises VideoError before the first frame when there is nothing to read, and TruncatedVideo after the last good one when
        the file is truncated or damaged, or holds fewer frames than it claims. Closing the iterator early ends ffmpeg at once.
        """
        stop = math.inf if end is None else end
        if not 0 <= start < stop:
            raise VideoError(f"{shown(self.path)}: the range from {start:g} to {stop:g} seconds is empty")
        if isinstance(self._source, VideoHeader):
            count = yield from self._from_file(self._source, start, stop)
        else:
            count = yield from self._from_folder(self._source, start, stop)
        if count == 0:
            raise VideoError(f"{shown(self.path)}: it has no frame between {start:g} and {stop:g} seconds")

    def audio(self, start: float = 0.0, end: float | None = None) -> AudioTrack | None:
        """The sound from `start` to `end` seconds, for a `VideoWriter` to carry over; None if there is none."""
        header = self._source
        if not isinstance(header, VideoHeader) or header.audio is None:
            return None
        return AudioTrack(self.path, header.audio, header.audio_codec, header.audio_delay, start, end)

    def _from_folder(self, files: Sequence[Path], start: float, stop: float) -> Generator[Frame, None, int]:
        """Yields the frames, returns how many they were."""
        times = [number / frame_folder.RATE for number in range(len(files))]
        wanted = [number for number, time in enumerate(times) if start - TOLERANCE <= time < stop - TOLERANCE]
        for index, picture in enumerate(frame_folder.pictures([files[number] for number in wanted])):
            yield Frame(index, float(times[wanted[index]]), np.array(picture))
        return len(wanted)

    def _from_file(self, header: VideoHeader, start: float, stop: float) -> Generator[Frame, None, int]:
        """Yields the frames, returns how many they were."""
        index = 0
        with Decoding(self.path, header, begin=start) as decoding:
            for time, rgb in decoding.frames():
                if time >= stop - TOLERANCE:
                    return index
                if start == 0 or time >= start - TOLERANCE:  # without a start nothing is left out, whatever its time is
                    yield Frame(index, float(time), rgb)
                    index += 1
            trouble = decoding.trouble()
        claimed = header.claimed_frames if start == 0 else None
        if not trouble and claimed is not None and decoding.count < claimed:
            trouble = f"the file claims {claimed} frames"
        if trouble and index:
            raise TruncatedVideo(
                f"{shown(self.path)}: the video is truncated or damaged after {index} frames ({trouble})", index
            )  # fmt: skip
        if trouble:
            raise VideoError(f"{shown(self.path)}: not a video that ffmpeg can read ({trouble})")
        return index


class VideoRange:
    """The frames of a part of a video; they can be iterated again and again, and each time are decoded anew."""

    def __init__(self, video: Video, start: float = 0.0, end: float | None = None) -> None:
        """start, end: seconds since the start of the video; None for its end."""
        self.video, self.start, self.end = video, start, end
        self.truncated: str | None = None  # how the video was found to be truncated, once it was

    @property
    def expected(self) -> int | None:
        """How many frames the video claims to hold here; None where that is not known before reading."""
        return self.video.info.frames if self.start == 0 and self.end is None else None

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self.video.frames(self.start, self.end)
        except TruncatedVideo as error:
            self.truncated = str(error)
