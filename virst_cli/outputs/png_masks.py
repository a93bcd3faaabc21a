"""Reads masks of other programs from PNG files, as rows like those of a record.

A folder of PNG files is one object, named after the folder; a folder of such folders is several objects. All pixels that are not
0 belong to the object, so masks of 0 and 255, masks of 0 and 1, and palette images (as in DAVIS) are all read correctly.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from virst_cli.errors import OutputError
from virst_cli.files.shown import shown
from virst_cli.outputs.arrays import Mask
from virst_cli.outputs.masks_jsonl import RecordRow
from virst_cli.video.frame_folder import frame_files, open_picture


class PngMasks:
    """The masks in a folder. Iterating yields its frames as rows with scores of 0; `len()` is the number of frames.

    names: of the objects, in order.
    """

    def __init__(self, folder: Path) -> None:
        """Lists the files. Raises `VideoError` if there are none, `OutputError` if objects differ in their number of frames."""
        inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        objects = inside or [folder]
        self.names = [path.absolute().name for path in objects]
        self._files = [frame_files(path) for path in objects]
        counts = [len(files) for files in self._files]
        for path, count in zip(objects, counts, strict=True):
            if count != counts[0]:
                raise OutputError(
                    f"{shown(objects[0])} holds {counts[0]} masks but {shown(path)} holds {count}; their numbers must be the same"
                )

    def __len__(self) -> int:
        return len(self._files[0])

    def __iter__(self) -> Iterator[RecordRow]:
        """The frames in order. Raises `OutputError` if a file is damaged or masks of a frame differ in size."""
        for index, files in enumerate(zip(*self._files, strict=True)):
            masks = [_read(path) for path in files]
            for path, mask in zip(files, masks, strict=True):
                if mask.shape != masks[0].shape:
                    raise OutputError(f"{shown(path)} and {shown(files[0])} differ in size; masks of a frame must be of one size")
            yield RecordRow(index, 0.0, np.stack(masks), (0.0,) * len(masks))


def _read(path: Path) -> Mask:
    """Reads one mask, (H, W) bool. Raises `OutputError` if the picture is damaged."""
    with open_picture(path) as picture:
        try:
            values = np.asarray(picture if picture.mode in ("1", "L", "P", "I", "I;16") else picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise OutputError(f"{shown(path)} can't be read as a picture ({error})") from None
    mask: Mask = values.reshape(*values.shape[:2], -1).max(axis=2) > 0
    return mask
