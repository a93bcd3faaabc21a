"""Draws the label that shows which colour stands for which sentence.

Each sentence is written on a dark pill behind a dot of its colour, in the top left corner of the frame. The size of the text
follows from the frame's short side. On small frames pills would hide too much, so they become a thin strip along the bottom edge,
one line per sentence. The label is drawn once per run and always in the same place, so it never flickers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from virst_cli.outputs.font import Font, legible
from virst_cli.outputs.palette import Colour

SMALL_FRAME = 256  # pixels of the short side; frames up to this size have the strip
MAX_HEIGHT = 1 / 3  # of the frame's height; further sentences become "+ 3 more"
SUPERSAMPLING = 4  # shapes are drawn this much larger and then reduced, because Pillow draws hard edges
BACKGROUND = (14, 16, 20, 200)  # nearly black; white text on it has a contrast of 9:1 even over a white sky
TEXT_COLOUR = (255, 255, 255, 255)
MAX_LABEL_LENGTH = 300  # characters of a sentence; the rest is neither measured nor shown


@dataclass(frozen=True)
class Legend:
    """The label as an RGBA picture. at: (x, y) of its top left corner in the frame."""

    picture: Image.Image
    at: tuple[int, int]


@dataclass(frozen=True)
class _Metrics:
    """Measures in pixels. `em` is the font size, from which most others follow."""

    em: int
    line: int  # distance between two lines of text
    max_lines: int  # of a sentence
    pad_x: int
    pad_y: int
    gap: int  # between two pills
    margin: int  # between the label and the frame's edges
    max_width: int  # of a pill
    max_height: int  # of the label
    strip: bool  # along the bottom edge, for a small frame

    @classmethod
    def of(cls, width: int, height: int) -> "_Metrics":
        """The measures for a frame of (W, H) pixels."""
        short = min(width, height)
        if short <= SMALL_FRAME:
            em = max(8, round(short * 0.07))  # below 8 pixels letters fall apart
            return cls(em, round(em * 1.15), 1, round(em * 0.5), 1, 0, 0, width, round(height * MAX_HEIGHT), True)
        em = round(short * 0.036)
        margin = round(em * 0.9)
        return cls(
            em, round(em * 1.25), 2, round(em * 0.75), round(em * 0.45), round(em * 0.4), margin,
            min(width - 2 * margin, em * 30), round(height * MAX_HEIGHT), False,
        )  # fmt: skip


def legend(sentences: Sequence[str], colours: Sequence[Colour], size: tuple[int, int]) -> Legend | None:
    """The label of sentences in their colours, for frames of one size; None if not even one line fits.

    colours: one per sentence.
    size: (W, H) of the frames.
    """
    metrics = _Metrics.of(*size)
    pills = [_pill(sentence, colour, metrics) for sentence, colour in zip(sentences, colours, strict=True)]
    shown = len(pills)
    while shown and _height(pills[:shown], metrics) > metrics.max_height:
        shown -= 1
    if 0 < shown < len(pills):  # the last pill is replaced by the number of missing sentences
        pills[shown - 1 :] = [_pill(f"+ {len(pills) - shown + 1} more", None, metrics)]
    pills = pills[:shown]
    if not pills:
        return None
    picture = Image.new("RGBA", (max(pill.width for pill in pills), _height(pills, metrics)))
    y = 0
    for pill in pills:
        picture.paste(pill, (0, y))
        y += pill.height + metrics.gap
    return Legend(picture, (metrics.margin, size[1] - picture.height if metrics.strip else metrics.margin))


def _height(pills: Sequence[Image.Image], metrics: _Metrics) -> int:
    """Total height of pills in a column."""
    return sum(pill.height for pill in pills) + metrics.gap * (len(pills) - 1)


def _pill(sentence: str, colour: Colour | None, metrics: _Metrics) -> Image.Image:
    """A sentence on its background, behind a dot of its colour (no dot if the colour is None)."""
    text, font = legible(sentence[:MAX_LABEL_LENGTH], metrics.em)
    dot = 0 if colour is None else round(metrics.em * 0.62)
    text_x = metrics.pad_x + (dot + round(metrics.em * 0.45) if dot else 0)
    lines = _balance(text, font, metrics.max_width - text_x - metrics.pad_x, metrics.max_lines)
    height = metrics.line * len(lines) + 2 * metrics.pad_y
    widest = max(round(font.getlength(line)) for line in lines)
    width = metrics.max_width if metrics.strip else min(metrics.max_width, text_x + widest + metrics.pad_x)
    pill = _background(width, height, 0 if metrics.strip else (metrics.line + 2 * metrics.pad_y) / 2)
    if colour is not None:
        _dot(pill, metrics.pad_x, metrics.pad_y + (metrics.line - dot) // 2, dot, colour)
    draw = ImageDraw.Draw(pill)
    for number, line in enumerate(lines):
        # anchored at the middle between ascender and descender, so that text with and without a "g" is at the same height
        y = metrics.pad_y + metrics.line * (number + 0.5)
        draw.text((text_x, y), line, TEXT_COLOUR, font, anchor="lm")
    return pill


def _background(width: int, height: int, radius: float) -> Image.Image:
    """A rounded rectangle with soft edges."""
    shape = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    box = (0, 0, shape.width - 1, shape.height - 1)
    ImageDraw.Draw(shape).rounded_rectangle(box, radius * SUPERSAMPLING, fill=BACKGROUND[3])
    background = Image.new("RGBA", (width, height), BACKGROUND)
    background.putalpha(shape.resize((width, height), Image.Resampling.BOX))
    return background


def _dot(pill: Image.Image, x: int, y: int, size: int, colour: Colour) -> None:
    """Draws a disc of the sentence's colour on a pill. x, y: top left corner; size: diameter; all in pixels."""
    shape = Image.new("L", (size * SUPERSAMPLING, size * SUPERSAMPLING))
    ImageDraw.Draw(shape).ellipse((0, 0, shape.width - 1, shape.height - 1), fill=255)
    disc = Image.new("RGBA", (size, size), (*colour, 255))
    disc.putalpha(shape.resize((size, size), Image.Resampling.BOX))
    pill.alpha_composite(disc, (x, y))


def _balance(text: str, font: Font, width: int, max_lines: int) -> list[str]:
    """Wraps a text into as few lines as possible, all about equally long. width: of a line, in pixels."""
    lines = _wrap(text, font, width, max_lines)
    narrow = width
    while len(lines) > 1 and narrow > width // 2:
        narrow -= max(1, width // 50)
        narrower = _wrap(text, font, narrow, len(lines))
        if "".join(narrower).endswith("…"):  # it does not fit any more
            break
        lines = narrower
    return lines


def _wrap(text: str, font: Font, width: float, max_lines: int) -> list[str]:
    """Wraps a text into at most `max_lines` lines, between words if possible; text that does not fit is cut and ends in …"""
    lines: list[str] = []
    while text and len(lines) < max_lines:
        fits = _fitting(text, font, width)
        if fits < len(text):
            space = text.rfind(" ", 0, fits + 1)
            if len(lines) == max_lines - 1:
                lines.append(text[: _fitting(text, font, width - font.getlength("…"))].rstrip() + "…")
                break
            fits = space if space > 0 else fits
        lines.append(text[:fits].rstrip())
        text = text[fits:].lstrip()
    return lines or [""]


def _fitting(text: str, font: Font, width: float) -> int:
    """Number of characters from the start of a text that fit into a width in pixels; at least 1."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle - 1)
    return low
