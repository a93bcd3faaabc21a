"""The frames of a video, one at a time, from a file or from a folder of pictures."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from virst_cli.errors import VideoError
from virst_cli.files.shown import shown
from virst_cli.video import frame_folder
from virst_cli.video.decode import Decoding
from virst_cli.video.header import read_header
from virst_cli.video.source import is_folder


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded frame."""

    index: int  # from 0, within the range asked for
    time: float  # seconds since the start of the source
    rgb: np.ndarray  # H,W,3 uint8, at display size


class TruncatedVideo(VideoError):
    """A video that breaks off or is damaged: raised after its last good frame. `frames` were read until then."""

    def __init__(self, message: str, frames: int) -> None:
        super().__init__(message)
        self.frames = frames


def read(path: Path, *, start: float = 0.0, end: float | None = None) -> Generator[Frame, None, None]:
    """Frames of a video in order, decoded one at a time: those with `start <= time < end`, in seconds.

    Rotation and pixel aspect are applied to files; a folder's pictures are taken as they are.
    Raises `VideoError` before the first frame when there is nothing to read, and `TruncatedVideo` after the last good
    one when the file breaks off, is damaged, or holds fewer frames than it claims. Closing the iterator early ends
    ffmpeg at once.
    """
    stop = math.inf if end is None else end
    if not 0 <= start < stop:
        raise VideoError(f"{shown(path)}: the range from {start:g} to {stop:g} seconds is empty")
    count = yield from _from_folder(path, start, stop) if is_folder(path) else _from_file(path, start, stop)
    if count == 0:
        raise VideoError(f"{shown(path)}: no frame between {start:g} and {stop:g} seconds")


def _from_folder(path: Path, start: float, stop: float) -> Generator[Frame, None, int]:
    """Yields the frames, returns how many they were."""
    files = frame_folder.frame_files(path)
    times = [float(number / frame_folder.RATE) for number in range(len(files))]
    wanted = [number for number, time in enumerate(times) if start <= time < stop]
    for index, picture in enumerate(frame_folder.pictures([files[number] for number in wanted])):
        yield Frame(index, times[wanted[index]], np.array(picture))
    return len(wanted)


def _from_file(path: Path, start: float, stop: float) -> Generator[Frame, None, int]:
    """Yields the frames, returns how many they were."""
    header = read_header(path)
    index = 0
    with Decoding(path, header, begin=start) as decoding:
        for exact, rgb in decoding.frames():
            time = float(exact)
            if time >= stop:
                return index
            if time >= start:
                yield Frame(index, time, rgb)
                index += 1
        trouble = decoding.trouble()
    claimed = header.claimed_frames if start == 0 else None
    if not trouble and claimed is not None and decoding.count < claimed:
        trouble = f"the file claims {claimed} frames"
    if trouble and index:
        raise TruncatedVideo(f"{shown(path)}: breaks off or is damaged, {index} frames read ({trouble})", index)
    if trouble:
        raise VideoError(f"{shown(path)}: not a video that can be read ({trouble})")
    return index
