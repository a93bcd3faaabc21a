"""The frames of a data set's video, as files that are opened when a frame is looked at."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import overload

import numpy as np

from virst_cli.bench.samples import Image
from virst_cli.errors import VideoError
from virst_cli.video.frame_folder import SUFFIXES, open_picture, pictures


def find_frames(folder: Path, video: str, names: Sequence[str]) -> tuple["FrameFiles", list[str]]:
    """The frames called `names` (without suffix) of a video below `folder`, in that order, and what is missing.

    A video without a folder is one missing item; its frames are not counted up.
    """
    try:
        here = {path.stem: path for path in (folder / video).iterdir() if path.suffix.lower() in SUFFIXES}
    except OSError:
        return FrameFiles([]), [video]
    missing = [f"{video}/{name}" for name in names if name not in here]
    return FrameFiles([here[name] for name in names if name in here]), missing


class FrameFiles(Sequence[Image]):
    """Decodes a frame each time it is looked at, to (H, W, 3) uint8. Raises `VideoError` for a damaged one."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) of the first frame, from its header; None without a readable frame."""
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
