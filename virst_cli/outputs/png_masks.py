"""Masks from elsewhere, as PNG files: rows like those of a record, without scores.

A folder of PNGs is one object, named after the folder; a folder of such folders is several. Whatever is not 0 belongs to
the object: masks of 0 and 255, of 0 and 1, and palettes (as DAVIS has them) all read alike.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from virst_cli.errors import OutputError
from virst_cli.files.shown import shown
from virst_cli.outputs.masks_jsonl import Masks, RecordRow
from virst_cli.video.frame_folder import frame_files, open_picture


class PngMasks:
    """Iterate for its frames; `len()` says how many. names: of the objects, in order."""

    def __init__(self, folder: Path) -> None:
        """Raises `VideoError` where there are no pictures, `OutputError` where objects differ in their number of frames."""
        inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        objects = inside or [folder]
        self.names = [path.absolute().name for path in objects]
        self._files = [frame_files(path) for path in objects]
        counts = [len(files) for files in self._files]
        for path, count in zip(objects, counts, strict=True):
            if count != counts[0]:
                raise OutputError(
                    f"{shown(objects[0])} holds {counts[0]} masks, {shown(path)} holds {count}; they must be as many"
                )

    def __len__(self) -> int:
        return len(self._files[0])

    def __iter__(self) -> Iterator[RecordRow]:
        for index, files in enumerate(zip(*self._files, strict=True)):
            masks = [_read(path) for path in files]
            for path, mask in zip(files, masks, strict=True):
                if mask.shape != masks[0].shape:
                    raise OutputError(f"{shown(path)} and {shown(files[0])} differ in size")
            yield RecordRow(index, 0.0, np.stack(masks), (0.0,) * len(masks))


def _read(path: Path) -> Masks:
    """(H, W) bool."""
    with open_picture(path) as picture:
        try:
            values = np.asarray(picture if picture.mode in ("1", "L", "P", "I", "I;16") else picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise OutputError(f"{shown(path)}: not a picture that can be read ({error})") from None
    mask: Masks = values.reshape(*values.shape[:2], -1).max(axis=2) > 0
    return mask
