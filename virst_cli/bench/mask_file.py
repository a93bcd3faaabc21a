"""Reads a mask that is stored as a PNG: most of the time that scoring takes, so only the part that holds it is touched."""

from pathlib import Path

import numpy as np

from virst_cli.bench.metrics import Mask
from virst_cli.video.folder import open_picture, refusing

PLAIN = ("1", "L", "P")  # one byte a pixel in Pillow; a palette's index counts, not its colour


def read_mask(path: Path) -> Mask:
    """(H, W); whatever is not 0 is mask: 255, 1, an object's number, or in a coloured picture any of the colours.

    Raises `VideoError` for a file that is no picture or is damaged.
    """
    with open_picture(path) as picture, refusing(path):
        if picture.mode.startswith("I"):  # 16 bits a pixel
            wide: Mask = np.asarray(picture) != 0
            return wide
        mask = np.zeros((picture.height, picture.width), dtype=bool)  # memory of zeros costs nothing until it is written
        values = picture if picture.mode in PLAIN else picture.convert("RGB")
        box = values.getbbox()
        if box is not None:
            left, top, right, bottom = box
            held = np.asarray(values.crop(box))
            mask[top:bottom, left:right] = held != 0 if held.ndim == 2 else held.any(axis=2)
    return mask
