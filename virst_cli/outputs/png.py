"""Writes masks as a folder of PNG files, one per frame: 00000.png, 00001.png ... with values 0 and 255, at display size.

The folder gets its name once all frames are written, so it is complete or it does not exist.
"""

from pathlib import Path
from types import TracebackType

from PIL import Image

from virst_cli.files.atomic import partial, remove, replace_folder, writing
from virst_cli.outputs.arrays import Picture


class PngFolder:
    """Writes pictures to a folder, as `VideoWriter` writes them to a video. An exception in its `with` block leaves nothing."""

    def __init__(self, folder: Path) -> None:
        """Creates the folder under another name. Raises OutputError or DiskFull if that fails."""
        self.folder = folder
        self._partial = partial(folder)
        self._count = 0
        with writing(folder):
            remove(self._partial)  # left by a run that was killed
            self._partial.mkdir(parents=True)

    def write(self, image: Picture, time: float) -> None:
        """Adds a picture, (H, W) uint8. time: in seconds; a folder of pictures has no times, so it is ignored."""
        with writing(self.folder):
            # level 1 is four times as fast as the default, and masks compress well at any level
            Image.fromarray(image).save(self._partial / f"{self._count:05d}.png", compress_level=1)
        self._count += 1

    def close(self) -> None:
        """Gives the folder its name, and deletes an older folder of that name."""
        with writing(self.folder):
            replace_folder(self._partial, self.folder)

    def __enter__(self) -> "PngFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            remove(self._partial)
