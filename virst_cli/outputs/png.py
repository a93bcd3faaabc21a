"""Masks as pictures, one PNG a frame: 00000.png, 00001.png ... of 0 and 255, at display size.

The folder is written under another name and renamed once the last frame is in, so it is whole or it is not there.
"""

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from virst_cli.files.atomic import partial, remove, replace_folder, writing


class PngFolder:
    """Takes pictures as `VideoWriter` does. Leaving its `with` block with an exception leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._partial = partial(folder)
        self._count = 0
        with writing(folder):
            remove(self._partial)  # of a run that was killed
            self._partial.mkdir(parents=True)

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Adds a picture, (H, W) uint8. time: seconds; a folder has no clock, so it is not kept."""
        with writing(self.folder):
            # level 1: masks shrink to almost nothing anyway, and it is four times as fast as the default
            Image.fromarray(image).save(self._partial / f"{self._count:05d}.png", compress_level=1)
        self._count += 1

    def close(self) -> None:
        """Gives the folder its name; an older one goes."""
        with writing(self.folder):
            replace_folder(self._partial, self.folder)

    def __enter__(self) -> "PngFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            remove(self._partial)
