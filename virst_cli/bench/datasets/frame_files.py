"""The frames of a data set's video, as picture files that are decoded when a frame is used."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import overload

import numpy as np

from virst_cli.bench.samples import Image
from virst_cli.errors import VideoError
from virst_cli.video.frame_folder import SUFFIXES, open_picture, pictures


def find_frames(folder: Path, video: str, names: Sequence[str]) -> tuple["FrameFiles", list[str]]:
    """Finds the frames of a video, and lists those that are missing.

    folder: holds the folder of the video.
    video: its name.
    names: of its frames, without suffix, in the order in which they are returned.

    A video without a folder is one missing item; its frames are not listed.
    """
    try:
        files = {path.stem: path for path in (folder / video).iterdir() if path.suffix.lower() in SUFFIXES}
    except OSError:
        return FrameFiles([]), [video]
    missing = [f"{video}/{name}" for name in names if name not in files]
    return FrameFiles([files[name] for name in names if name in files]), missing


class FrameFiles(Sequence[Image]):
    """Frames (H, W, 3) uint8 that are decoded each time they are used. Raises `VideoError` for a damaged one."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) of the first frame, from its header; None if it can't be read."""
        if not self._files:
            return None
        with suppress(VideoError), open_picture(self._files[0]) as picture:
            return picture.height, picture.width
        return None

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, frame: int) -> Image: ...
    @overload
    def __getitem__(self, frame: slice) -> "FrameFiles": ...
    def __getitem__(self, frame: int | slice) -> "Image | FrameFiles":
        if isinstance(frame, slice):
            return FrameFiles(self._files[frame])
        (picture,) = pictures([self._files[frame]])
        return np.asarray(picture)
