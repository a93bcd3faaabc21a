"""Draws the six sprites, which differ in their outlines and move their legs, wings or wheels.

A figure is drawn facing right in a unit square, several times too large, and then scaled down, which smooths its edges. Every
shape is drawn twice, first grown by the width of the outline and then filled, so the outline runs around the whole figure. It is
dark, or light for black things, so that black on dark and white on light stay visible.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

RgbColour = tuple[int, int, int]
Point = tuple[float, float]

PHASES = {"dog": 4, "cat": 4, "bird": 4, "car": 4, "ball": 8, "box": 1}  # number of poses; phase 0 stands still
PAINT: dict[str, RgbColour] = {  # lightness differs too, for colour-blind eyes
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (38, 92, 214),
    "yellow": (250, 208, 30),
    "white": (244, 244, 240),
    "black": (34, 34, 38),
}
INK: RgbColour = (28, 24, 30)
GLASS: RgbColour = (176, 214, 232)
BEAK: RgbColour = (242, 145, 30)
FIT = 0.95  # share of the square that figures are scaled to, so that their outlines fit
OUTLINE = 0.022  # width as a share of the sprite's side: about one pixel at 48


def _mix(a: RgbColour, b: RgbColour, share: float) -> RgbColour:
    """A mix of two colours; `share` is that of b, 0 to 1."""
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


@dataclass
class _Pen:
    """Collects shapes in unit coordinates, back to front, and draws them with a common outline."""

    body: RgbColour
    line: RgbColour
    shapes: list[tuple[str, list[Point], float, RgbColour, bool]] = field(default_factory=list)

    @property
    def shade(self) -> RgbColour:
        """Colour of the side away from the light, and of the far legs."""
        return _mix(self.body, (20, 10, 40) if sum(self.body) > 160 else (150, 150, 160), 0.3)

    @property
    def light(self) -> RgbColour:
        """Colour of the side towards the light."""
        return _mix(self.body, (255, 255, 255), 0.35 if sum(self.body) > 160 else 0.22)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: RgbColour | None = None, *, inside: bool = False) -> None:
        self.shapes.append(("oval", [(x - rx, y - ry), (x + rx, y + ry)], 0.0, fill or self.body, inside))

    def shape(self, points: list[Point], fill: RgbColour | None = None, *, inside: bool = False) -> None:
        self.shapes.append(("shape", points, 0.0, fill or self.body, inside))

    def limb(self, points: list[Point], width: float, fill: RgbColour | None = None, *, inside: bool = False) -> None:
        self.shapes.append(("limb", points, width, fill or self.body, inside))

    def draw(self, side: int) -> Image.Image:
        """The figure as an RGBA image of side x side."""
        image = Image.new("RGBA", (side, side), (*self.line, 0))
        draw = ImageDraw.Draw(image)
        for grow in (OUTLINE, 0.0):
            for form, points, width, fill, inside in self.shapes:
                if inside and grow:
                    continue  # eyes, windows and stripes need no outline of their own
                self._draw_shape(draw, side, form, points, width, self.line if grow else fill, grow)
        return image

    def _draw_shape(
        self, draw: ImageDraw.ImageDraw, side: int, form: str, points: list[Point], width: float, fill: RgbColour, grow: float
    ) -> None:
        at = [((0.5 + (x - 0.5) * FIT) * side, (0.5 + (y - 0.5) * FIT) * side) for x, y in points]
        g = grow * side
        if form == "oval":
            (x0, y0), (x1, y1) = at
            draw.ellipse((x0 - g, y0 - g, x1 + g, y1 + g), fill=fill)
            return
        if form == "shape":
            draw.polygon(at, fill=fill)
            at, w = [*at, at[0]], 2 * g
        else:
            w = width * FIT * side + 2 * g
        if w >= 1:
            draw.line(at, fill=fill, width=round(w), joint="curve")
            for x, y in at:
                draw.ellipse((x - w / 2, y - w / 2, x + w / 2, y + w / 2), fill=fill)


def _legs(pen: _Pen, hips: tuple[float, float], top: float, foot: float, width: float, swing: float) -> None:
    """Four legs; the far pair swings against the near one."""
    for fill, sign, shift in ((pen.shade, -1.0, 0.05), (pen.body, 1.0, 0.0)):
        for number, hip in enumerate(hips):
            step = swing * sign * (1 if number else -1)
            pen.limb([(hip + shift, top), (hip + shift + step, foot)], width, fill)


def _dog(pen: _Pen, turn: float) -> None:
    """Long body, long snout, hanging ear, short tail up."""
    swing, wag = 0.12 * math.sin(turn), 0.04 * math.cos(turn)
    pen.limb([(0.14, 0.46), (0.05, 0.27 + wag)], 0.075)
    _legs(pen, (0.2, 0.57), 0.62, 0.91, 0.085, swing)
    pen.limb([(0.22, 0.53), (0.6, 0.52)], 0.27)
    pen.limb([(0.6, 0.48), (0.7, 0.32)], 0.2)
    pen.oval(0.72, 0.28, 0.145, 0.135)
    pen.limb([(0.8, 0.33), (0.9, 0.345)], 0.125)
    pen.limb([(0.24, 0.45), (0.55, 0.44)], 0.06, pen.light, inside=True)
    pen.limb([(0.63, 0.22), (0.595, 0.39)], 0.095, pen.shade, inside=True)
    pen.oval(0.945, 0.315, 0.035, 0.03, INK if sum(pen.body) > 160 else pen.light, inside=True)
    _eye(pen, 0.77, 0.25)


def _cat(pen: _Pen, turn: float) -> None:
    """Round face with two pointed ears and whiskers, high back, long curved tail."""
    swing, wave = 0.09 * math.sin(turn), 0.03 * math.cos(turn)
    tail = [(0.2, 0.62), (0.1, 0.52), (0.06, 0.38), (0.1, 0.24), (0.17 + wave, 0.14), (0.26 + wave, 0.15)]
    pen.limb(tail, 0.06)
    _legs(pen, (0.24, 0.53), 0.7, 0.91, 0.075, swing)
    pen.oval(0.4, 0.63, 0.255, 0.17)
    for x in (0.575, 0.865):
        pen.shape([(x - 0.085, 0.36), (x + (0.03 if x > 0.7 else -0.03), 0.13), (x + 0.085, 0.36)])
    pen.oval(0.72, 0.45, 0.215, 0.185)
    pen.oval(0.36, 0.55, 0.15, 0.045, pen.light, inside=True)
    for x in (0.35, 0.45):
        pen.limb([(x - 0.02, 0.66), (x, 0.76)], 0.03, pen.shade, inside=True)
    _eye(pen, 0.65, 0.43)
    _eye(pen, 0.82, 0.43)
    pen.shape([(0.7, 0.5), (0.77, 0.5), (0.735, 0.535)], (232, 120, 130), inside=True)


def _bird(pen: _Pen, turn: float) -> None:
    """Small round head, beak, fanned tail; the wing lies folded at rest and beats in motion."""
    lift = math.sin(turn) if turn else None
    pen.shape([(0.25, 0.52), (0.05, 0.44), (0.06, 0.54), (0.035, 0.6), (0.09, 0.67), (0.28, 0.66)], pen.shade)
    for x in (0.42, 0.54):
        pen.limb([(x, 0.72), (x + 0.02, 0.9), (x + 0.08, 0.905)], 0.035, BEAK)
    pen.shape([(0.84, 0.31), (0.985, 0.385), (0.84, 0.43)], BEAK)
    pen.oval(0.46, 0.58, 0.28, 0.19)
    pen.oval(0.73, 0.37, 0.155, 0.15)
    pen.limb([(0.6, 0.52), (0.68, 0.42)], 0.22)
    pen.oval(0.54, 0.66, 0.14, 0.07, pen.light, inside=True)
    if lift is None:
        pen.shape([(0.56, 0.5), (0.36, 0.46), (0.1, 0.57), (0.3, 0.66), (0.5, 0.64)], pen.shade, inside=True)
    else:
        tip = 0.5 - 0.42 * lift
        pen.shape([(0.58, 0.52), (0.5, 0.5 - 0.3 * lift), (0.26, tip), (0.2, 0.5 - 0.3 * lift), (0.3, 0.56)], pen.shade)
    _eye(pen, 0.77, 0.34)


def _car(pen: _Pen, turn: float) -> None:
    """Low body, cabin with two windows, two wheels with turning spokes."""
    pen.shape([(0.2, 0.5), (0.31, 0.3), (0.64, 0.3), (0.77, 0.5)])
    pen.shape([(0.04, 0.53), (0.1, 0.47), (0.8, 0.47), (0.94, 0.53), (0.97, 0.69), (0.04, 0.69)])
    pen.shape([(0.05, 0.63), (0.965, 0.63), (0.97, 0.69), (0.04, 0.69)], pen.shade, inside=True)
    pen.limb([(0.12, 0.515), (0.78, 0.515)], 0.03, pen.light, inside=True)
    pen.shape([(0.27, 0.47), (0.345, 0.345), (0.455, 0.345), (0.455, 0.47)], GLASS, inside=True)
    pen.shape([(0.505, 0.47), (0.505, 0.345), (0.61, 0.345), (0.695, 0.47)], GLASS, inside=True)
    pen.oval(0.92, 0.565, 0.03, 0.03, (255, 244, 190), inside=True)
    for x in (0.26, 0.75):
        pen.oval(x, 0.7, 0.125, 0.125, INK if sum(pen.body) > 160 else (62, 62, 68))
        pen.oval(x, 0.7, 0.07, 0.07, (205, 205, 210), inside=True)
        for spoke in range(2):  # half a turn of the two spokes looks like a whole turn
            dx, dy = 0.065 * math.cos(turn / 2 + spoke * math.pi / 2), 0.065 * math.sin(turn / 2 + spoke * math.pi / 2)
            pen.limb([(x - dx, 0.7 - dy), (x + dx, 0.7 + dy)], 0.022, (90, 90, 96), inside=True)


def _ball(pen: _Pen, turn: float) -> None:
    """A beach ball: a disc whose light and dark wedges turn."""
    pen.oval(0.5, 0.5, 0.44, 0.44)
    for wedge in range(3):
        start = turn + wedge * 2 * math.pi / 3
        rim = [start + k * math.pi / 21 for k in range(8)]
        points = [(0.5, 0.5), *((0.5 + 0.435 * math.cos(a), 0.5 + 0.435 * math.sin(a)) for a in rim)]
        pen.shape(points, (pen.light, pen.shade, pen.light)[wedge], inside=True)
    pen.oval(0.5, 0.5, 0.07, 0.07, pen.line, inside=True)
    pen.oval(0.36, 0.3, 0.07, 0.05, _mix(pen.light, (255, 255, 255), 0.5), inside=True)


def _box(pen: _Pen, turn: float) -> None:
    """A cube seen from above its corner, with a band."""
    pen.shape([(0.07, 0.3), (0.7, 0.3), (0.7, 0.92), (0.07, 0.92)])
    pen.shape([(0.07, 0.3), (0.27, 0.1), (0.93, 0.1), (0.7, 0.3)], pen.light)
    pen.shape([(0.7, 0.3), (0.93, 0.1), (0.93, 0.7), (0.7, 0.92)], pen.shade)
    for a, b in (((0.07, 0.3), (0.7, 0.3)), ((0.7, 0.3), (0.7, 0.92)), ((0.7, 0.3), (0.93, 0.1))):
        pen.limb([a, b], 0.02, pen.line, inside=True)
    band = _mix(pen.body, (255, 255, 255) if sum(pen.body) < 400 else (120, 90, 60), 0.45)
    pen.shape([(0.33, 0.31), (0.44, 0.31), (0.44, 0.92), (0.33, 0.92)], band, inside=True)
    pen.shape([(0.33, 0.29), (0.44, 0.29), (0.66, 0.1), (0.55, 0.1)], band, inside=True)


def _eye(pen: _Pen, x: float, y: float) -> None:
    pen.oval(x, y, 0.042, 0.046, (255, 255, 255), inside=True)
    pen.oval(x + 0.012, y + 0.004, 0.024, 0.03, INK, inside=True)


_FIGURES: dict[str, Callable[[_Pen, float], None]] = {
    "dog": _dog,
    "cat": _cat,
    "bird": _bird,
    "car": _car,
    "ball": _ball,
    "box": _box,
}


@dataclass(frozen=True, eq=False)
class Sprite:
    """A pose, prepared for blending into a frame: pixels = (paint + frame * through) >> 8."""

    paint: npt.NDArray[np.uint16]  # side, side, 3   colour times opacity, 0 to 255 times 0 to 256, plus 128 for rounding
    through: npt.NDArray[np.uint16]  # side, side, 1   256 minus the opacity
    solid: npt.NDArray[np.bool_]  # side, side   at least half opaque: the mask


def sprite(kind: str, colour: str, phase: int, side: int, flip: bool) -> Sprite:
    """A pose of a thing.

    phase: number of the pose, 0 to PHASES[kind] - 1.
    side: width and height in pixels.
    flip: mirrored, so that it faces left.
    """
    return (_draw_small if side <= 96 else _draw_large)(kind, colour, phase, side, flip)


def _draw(kind: str, colour: str, phase: int, side: int, flip: bool) -> Sprite:
    body = PAINT[colour]
    pen = _Pen(body, (168, 168, 176) if colour == "black" else _mix(body, INK, 0.8))
    _FIGURES[kind](pen, 2 * math.pi * phase / PHASES[kind])
    image = pen.draw(side * (4 if side <= 96 else 2))
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=np.uint16)  # side, side, 4
    if flip:
        pixels = pixels[:, ::-1]
    alpha = pixels[..., 3:] + (pixels[..., 3:] >> 7)  # 0..255 to 0..256
    return Sprite(np.ascontiguousarray(pixels[..., :3] * alpha + 128), 256 - alpha, alpha[..., 0] >= 128)


_draw_small = lru_cache(maxsize=2048)(_draw)  # every pose of a training run: about 50 MB at most
_draw_large = lru_cache(maxsize=96)(_draw)  # a few clips' worth: a pose at 1080p takes 3 MB
