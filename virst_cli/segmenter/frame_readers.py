"""Frames that can be read more than once: the vision tower, the fusions and tracking each go through the video themselves."""

from collections.abc import Iterator, Sequence

import numpy as np

from virst_cli.video.video import Frame, TruncatedVideo, Video


class VideoFrames:
    """The frames of a video, in a range of seconds."""

    def __init__(self, video: Video, start: float = 0.0, end: float | None = None) -> None:
        """start, end: seconds since the start of the video."""
        self.video, self.start, self.end = video, start, end
        self.truncated: str | None = None  # how the video was found to be truncated, once it was

    def expected(self) -> int | None:
        """How many frames the video claims to hold; None where that is not known before reading."""
        return self.video.info.frames if self.start == 0 and self.end is None else None

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self.video.frames(self.start, self.end)
        except TruncatedVideo as error:
            self.truncated = str(error)


class NumberedFrames:
    """The pictures of a sequence as frames; a sequence that loads its pictures on access stays as flat in memory as a file."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        """pictures: (H, W, 3) uint8 each."""
        self.pictures = pictures

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(index, float(index), rgb) for index, rgb in enumerate(self.pictures))
