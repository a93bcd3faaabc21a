"""Frame + masks -> picture: tinted, outlined, in a spotlight, beside its source, with its sentences written on it.

The trick: a mask, blurred a little, says at every pixel how far the mask's edge is. So a look is one table from that
value (0..255) to a colour and its opacity: outside nothing, then the halo, the line, the halo again, the tint. Blur
and table are single passes in Pillow's C code over the mask's box, and the line is smooth however ragged the mask.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from virst_cli.outputs.legend import legend
from virst_cli.outputs.palette import Colour
from virst_cli.outputs.style import DEFAULT, Style

Rgb = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, top, right, bottom

OPACITY = 0.45  # of the tint: the colour is plain and the fur still shows
LINE = 1 / 190  # width of the outline, of the frame's short side: 2.5 pixels at 480
HALO = 0.5  # width of the dark rim on each side, of the line
HALO_OPACITY = 0.6
LIFT = 0.18  # the line is this much lighter than the tint it borders, or it would drown in it
GREY, DIM = 0.75, 0.34  # outside a spotlight: so much of the colour goes, so much of the light stays


class Overlay:
    """Draws the masks of n sentences on frames of one size. `paint` does not change what it is given."""

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
        """size: (W, H) of the frames; colours: one a sentence; opacity: of the tint, 0 to 1."""
        width, height = size
        self._style = style
        self._line = max(1.4, min(size) * LINE)
        self._blur = self._line * (0.5 + HALO) * 0.6 + 0.3
        self._reach = math.ceil(3 * self._blur)  # pixels from the edge at which the blurred mask is flat again
        self._tables = [_table(colour, style, opacity, self._line, self._blur) for colour in colours]
        self._legend = legend(sentences, colours, (width, height)) if label else None

    def paint(self, rgb: Rgb, masks: Masks | Sequence[Masks]) -> Rgb:
        """The picture of a frame: rgb (H, W, 3) uint8, masks (n, H, W) bool; (H, W, 3), or (H, 2 W, 3) side by side."""
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

    def _draw(self, picture: Rgb, mask: Masks, box: Box, table: bytes) -> None:
        """Lays one sentence's tint and outline over its box."""
        look = self._soft(mask, box)
        look.putpalette(table, "RGBA")
        _paste(picture, look.convert("RGBA"), box[:2])

    def _soft(self, mask: Masks, box: Box) -> Image.Image:
        """The mask in its box as L: 255 inside, 0 outside, about 128 on the edge."""
        left, top, right, bottom = box
        inside = mask[top:bottom, left:right].view(np.uint8)
        soft = Image.fromarray(inside * np.uint8(255)).filter(ImageFilter.GaussianBlur(self._blur))
        # a rope or a far bird is thinner than the blur and would melt away: what is in the mask is edge at least
        return ImageChops.lighter(soft, Image.fromarray(inside * np.uint8(128)))

    def _spotlight(self, rgb: Rgb, masks: Masks | Sequence[Masks], boxes: Sequence[Box | None]) -> Rgb:
        """The frame, dark and nearly grey but for the masks."""
        frame = Image.fromarray(rgb)
        picture = frame.convert("RGB", _dimming())
        for mask, box in zip(masks, boxes, strict=True):
            if box is not None:
                picture.paste(frame.crop(box), box, self._soft(mask, box))
        return np.array(picture)


def _table(colour: Colour, style: Style, opacity: float, line: float, blur: float) -> bytes:
    """256 RGBA values: what to lay over a pixel, by the blurred mask's value there."""
    value = (np.arange(256) + 0.5) / 256
    # a blurred straight edge has the normal distribution's shape, so its quantile is the distance in blur radii
    distance = np.array([NormalDist().inv_cdf(v) for v in value]) * blur  # pixels inside the edge; negative outside
    paint = np.array(colour, np.float64)
    over = np.zeros((256, 4))  # premultiplied colour, opacity
    if style.fill:
        over = _over(over, paint, opacity * _step(distance))
    if style.outline:
        depth = np.abs(distance)
        over = _over(over, np.zeros(3), HALO_OPACITY * _step(line * (0.5 + HALO) - depth))
        over = _over(over, paint + (255 - paint) * LIFT, _step(line / 2 - depth))
    over[0] = 0  # the smallest value is no distance but "far outside"
    visible = np.maximum(over[:, 3:], 1e-6)
    rgba: Rgb = np.concatenate([over[:, :3] / visible, over[:, 3:] * 255], axis=1).round().astype(np.uint8)
    return rgba.tobytes()


def _over(below: NDArray[np.float64], colour: NDArray[np.float64], opacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour laid over what is there; both premultiplied (Porter & Duff's `over`)."""
    top = np.concatenate([colour[None] * opacity[:, None], opacity[:, None]], axis=1)
    result: NDArray[np.float64] = top + below * (1 - opacity[:, None])
    return result


def _step(inside: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 inside, 0 outside, and a ramp of one pixel between: an edge without stairs."""
    return np.clip(inside + 0.5, 0, 1)


def _dimming() -> tuple[float, ...]:
    """Pillow's colour matrix for what lies outside a spotlight."""
    light = np.array([0.299, 0.587, 0.114])
    matrix = DIM * ((1 - GREY) * np.eye(3) + GREY * np.tile(light, (3, 1)))
    return tuple(np.concatenate([matrix, np.zeros((3, 1))], axis=1).ravel().tolist())


def _box(mask: Masks, margin: int) -> Box | None:
    """The mask's bounding box with a margin, within the frame; None where it is empty."""
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
    """Lays an RGBA patch over part of a picture, in place."""
    left, top = at
    part = picture[top : top + patch.height, left : left + patch.width]
    below = Image.fromarray(part)
    below.paste(patch, (0, 0), patch)
    part[:] = np.asarray(below)
