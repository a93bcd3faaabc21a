"""Draws the masks of a frame on it, in any style, with the label of its sentences.

A slightly blurred mask tells at every pixel how far the mask's edge is. So tint and outline are one table from the blurred value
(0..255) to a colour and its opacity: nothing outside, then the halo, the line, the halo again, and the tint. Blur and table are
single passes in Pillow's C code over the mask's box, and the line is smooth even if the mask is ragged.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from virst_cli.outputs.arrays import Mask, Masks, Rgb
from virst_cli.outputs.legend import legend
from virst_cli.outputs.palette import Colour
from virst_cli.outputs.style import DEFAULT, Style

Box = tuple[int, int, int, int]  # left, top, right, bottom

OPACITY = 0.45  # of the tint: the colour is clear and texture such as fur still shows
LINE = 1 / 190  # width of the outline, as a share of the frame's short side: 2.5 pixels at 480
HALO = 0.5  # width of the dark rim on each side, as a share of the line's width
HALO_OPACITY = 0.6
LIFT = 0.18  # the line is this much lighter than the tint, so that it can be told apart from it
GREY, DIM = 0.75, 0.34  # outside a spotlight: share of the colour that is removed, share of the light that stays


class Overlay:
    """Draws the masks of n sentences on frames of one size."""

    def __init__(
        self,
        size: tuple[int, int],
        sentences: Sequence[str],
        colours: Sequence[Colour],
        *,
        style: Style = DEFAULT,
        opacity: float = OPACITY,
        label: bool = True,
    ) -> None:
        """Prepares colours and the label.

        size: (W, H) of the frames.
        colours: one per sentence.
        opacity: of the tint, 0 to 1.
        label: whether to draw the label.
        """
        width, height = size
        self._style = style
        self._line = max(1.4, min(size) * LINE)
        self._blur = self._line * (0.5 + HALO) * 0.6 + 0.3
        self._reach = math.ceil(3 * self._blur)  # pixels from the edge at which the blurred mask is flat again
        self._tables = [_table(colour, style, opacity, self._line, self._blur) for colour in colours]
        self._legend = legend(sentences, colours, (width, height)) if label else None

    def paint(self, rgb: Rgb, masks: Masks | Sequence[Mask]) -> Rgb:
        """The overlay of a frame: (H, W, 3) uint8, or (H, 2 W, 3) if side by side. Its arguments stay unchanged.

        rgb: (H, W, 3) uint8.
        masks: (n, H, W) bool, one per sentence.
        """
        boxes = [_box(mask, self._reach) for mask in masks]
        picture = self._spotlight(rgb, masks, boxes) if self._style.spotlight else rgb.copy()
        if self._style.fill or self._style.outline:
            for mask, box, table in zip(masks, boxes, self._tables, strict=True):
                if box is not None:
                    self._draw(picture, mask, box, table)
        if self._legend is not None:
            x, y = self._legend.at
            _paste(picture, self._legend.picture, (x, y))
        return np.concatenate([rgb, picture], axis=1) if self._style.side_by_side else picture

    def _draw(self, picture: Rgb, mask: Mask, box: Box, table: bytes) -> None:
        """Draws the tint and outline of one sentence on a picture, in place."""
        patch = self._soft(mask, box)
        patch.putpalette(table, "RGBA")
        _paste(picture, patch.convert("RGBA"), box[:2])

    def _soft(self, mask: Mask, box: Box) -> Image.Image:
        """The blurred mask within its box, in mode L: 255 inside, 0 outside, about 128 on the edge."""
        left, top, right, bottom = box
        inside = mask[top:bottom, left:right].view(np.uint8)
        soft = Image.fromarray(inside * np.uint8(255)).filter(ImageFilter.GaussianBlur(self._blur))
        # a thin object, such as a rope, would vanish in the blur, so every pixel of the mask counts as edge at least
        return ImageChops.lighter(soft, Image.fromarray(inside * np.uint8(128)))

    def _spotlight(self, rgb: Rgb, masks: Masks | Sequence[Mask], boxes: Sequence[Box | None]) -> Rgb:
        """A copy of the frame that is dark and nearly grey except inside the masks."""
        frame = Image.fromarray(rgb)
        picture = frame.convert("RGB", _dimming())
        for mask, box in zip(masks, boxes, strict=True):
            if box is not None:
                picture.paste(frame.crop(box), box, self._soft(mask, box))
        return np.array(picture)


def _table(colour: Colour, style: Style, opacity: float, line: float, blur: float) -> bytes:
    """256 RGBA values as bytes: the paint for a pixel, by the value of the blurred mask there.

    line: width of the outline, in pixels.
    blur: standard deviation of the blur, in pixels.
    """
    value = (np.arange(256) + 0.5) / 256
    # a blurred straight edge has the shape of the normal distribution, whose quantile is the distance in units of the blur
    distance = np.array([NormalDist().inv_cdf(v) for v in value]) * blur  # pixels inside the edge; negative outside
    paint = np.array(colour, np.float64)
    over = np.zeros((256, 4))  # premultiplied colour, opacity
    if style.fill:
        over = _over(over, paint, opacity * _step(distance))
    if style.outline:
        depth = np.abs(distance)
        over = _over(over, np.zeros(3), HALO_OPACITY * _step(line * (0.5 + HALO) - depth))
        over = _over(over, paint + (255 - paint) * LIFT, _step(line / 2 - depth))
    over[0] = 0  # the smallest value stands for any place far outside
    visible = np.maximum(over[:, 3:], 1e-6)
    rgba: Rgb = np.concatenate([over[:, :3] / visible, over[:, 3:] * 255], axis=1).round().astype(np.uint8)
    return rgba.tobytes()


def _over(below: NDArray[np.float64], colour: NDArray[np.float64], opacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lays a colour over premultiplied values (n, 4): Porter & Duff's `over`. opacity: (n,)."""
    top = np.concatenate([colour[None] * opacity[:, None], opacity[:, None]], axis=1)
    result: NDArray[np.float64] = top + below * (1 - opacity[:, None])
    return result


def _step(inside: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 inside, 0 outside, and a ramp of one pixel between them, which makes a smooth edge. inside: pixels from the edge."""
    return np.clip(inside + 0.5, 0, 1)


def _dimming() -> tuple[float, ...]:
    """Pillow's colour matrix (3 x 4, in one row) for the area outside a spotlight."""
    luma = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    matrix = DIM * ((1 - GREY) * np.eye(3) + GREY * np.tile(luma, (3, 1)))
    return tuple(np.concatenate([matrix, np.zeros((3, 1))], axis=1).ravel().tolist())


def _box(mask: Mask, margin: int) -> Box | None:
    """The bounding box of a mask with a margin (in pixels), within the frame; None if the mask is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    height, width = mask.shape
    return (
        max(0, int(columns[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(width, int(columns[-1]) + 1 + margin),
        min(height, int(rows[-1]) + 1 + margin),
    )


def _paste(picture: Rgb, patch: Image.Image, at: tuple[int, ...]) -> None:
    """Draws an RGBA patch on a picture, in place. at: (x, y) of the patch's top left corner."""
    left, top = at
    part = picture[top : top + patch.height, left : left + patch.width]
    below = Image.fromarray(part)
    below.paste(patch, (0, 0), patch)
    part[:] = np.asarray(below)
