"""The label: which colour is which sentence. Drawn once a run and always in the same place, so it never flickers.

Every sentence is a pill with its colour in front, in the top left corner; text is sized by the frame's short side.
A small frame (128 pixels, say) has no corner to spare: there the pills become a thin strip along the bottom edge, a
line a sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from virst_cli.outputs.font import Font, legible
from virst_cli.outputs.palette import Colour

SMALL_FRAME = 256  # pixels of the short side: up to here a strip, above pills
MOST = 1 / 3  # of the frame's height may be covered; further sentences become "+ 3 more"
SMOOTH = 4  # shapes are drawn this much larger and then reduced, for Pillow's have hard edges
PLATE = (14, 16, 20, 200)  # nearly black; white text on it has a contrast of 9:1 even over a white sky
INK = (255, 255, 255, 255)
MAX_LABEL_LENGTH = 300  # characters that are ever measured; nobody reads more in a corner


@dataclass(frozen=True)
class Legend:
    """An RGBA picture, and the (x, y) of its top left corner in the frame."""

    picture: Image.Image
    at: tuple[int, int]


@dataclass(frozen=True)
class _Metrics:
    """Measures in pixels. `em` is the size of the text, from which all others follow."""

    em: int
    line: int  # from one line of text to the next
    lines: int  # that a sentence may take
    pad_x: int
    pad_y: int
    gap: int  # between two pills
    margin: int  # to the frame's edges
    width: int  # that a pill may take
    height: int  # that all may take
    strip: bool

    @classmethod
    def of(cls, width: int, height: int) -> "_Metrics":
        """For a frame of (W, H)."""
        short = min(width, height)
        if short <= SMALL_FRAME:
            em = max(8, round(short * 0.07))  # below 8 pixels letters fall apart
            return cls(em, round(em * 1.15), 1, round(em * 0.5), 1, 0, 0, width, round(height * MOST), True)
        em = round(short * 0.036)
        margin = round(em * 0.9)
        return cls(
            em, round(em * 1.25), 2, round(em * 0.75), round(em * 0.45), round(em * 0.4), margin,
            min(width - 2 * margin, em * 30), round(height * MOST), False,
        )  # fmt: skip


def legend(sentences: Sequence[str], colours: Sequence[Colour], size: tuple[int, int]) -> Legend | None:
    """The label of sentences in their colours for frames of `size` (W, H); None where not even one line has room."""
    look = _Metrics.of(*size)
    pills = [_pill(sentence, colour, look) for sentence, colour in zip(sentences, colours, strict=True)]
    shown = len(pills)
    while shown and _height(pills[:shown], look) > look.height:
        shown -= 1
    if 0 < shown < len(pills):  # the last line says how many are missing; it takes the place of one
        pills[shown - 1 :] = [_pill(f"+ {len(pills) - shown + 1} more", None, look)]
    pills = pills[:shown]
    if not pills:
        return None
    picture = Image.new("RGBA", (max(pill.width for pill in pills), _height(pills, look)))
    y = 0
    for pill in pills:
        picture.paste(pill, (0, y))
        y += pill.height + look.gap
    return Legend(picture, (look.margin, size[1] - picture.height if look.strip else look.margin))


def _height(pills: Sequence[Image.Image], look: _Metrics) -> int:
    """Of pills one above the other."""
    return sum(pill.height for pill in pills) + look.gap * (len(pills) - 1)


def _pill(sentence: str, colour: Colour | None, look: _Metrics) -> Image.Image:
    """One sentence on its plate, behind a dot of its colour."""
    text, font = legible(sentence[:MAX_LABEL_LENGTH], look.em)
    dot = 0 if colour is None else round(look.em * 0.62)
    before = look.pad_x + (dot + round(look.em * 0.45) if dot else 0)
    lines = _balance(text, font, look.width - before - look.pad_x, look.lines)
    height = look.line * len(lines) + 2 * look.pad_y
    widest = max(round(font.getlength(line)) for line in lines)
    width = look.width if look.strip else min(look.width, before + widest + look.pad_x)
    pill = _plate(width, height, 0 if look.strip else (look.line + 2 * look.pad_y) / 2)
    if colour is not None:
        _dot(pill, look.pad_x, look.pad_y + (look.line - dot) // 2, dot, colour)
    draw = ImageDraw.Draw(pill)
    for number, line in enumerate(lines):
        # by the middle between ascender and descender, so that pills with and without a "g" line up
        y = look.pad_y + look.line * (number + 0.5)
        draw.text((before, y), line, INK, font, anchor="lm")
    return pill


def _plate(width: int, height: int, radius: float) -> Image.Image:
    """A rounded rectangle with soft edges."""
    shape = Image.new("L", (width * SMOOTH, height * SMOOTH))
    box = (0, 0, shape.width - 1, shape.height - 1)
    ImageDraw.Draw(shape).rounded_rectangle(box, radius * SMOOTH, fill=PLATE[3])
    plate = Image.new("RGBA", (width, height), PLATE)
    plate.putalpha(shape.resize((width, height), Image.Resampling.BOX))
    return plate


def _dot(pill: Image.Image, x: int, y: int, size: int, colour: Colour) -> None:
    """A disc of a sentence's colour, as its masks have it."""
    shape = Image.new("L", (size * SMOOTH, size * SMOOTH))
    ImageDraw.Draw(shape).ellipse((0, 0, shape.width - 1, shape.height - 1), fill=255)
    disc = Image.new("RGBA", (size, size), (*colour, 255))
    disc.putalpha(shape.resize((size, size), Image.Resampling.BOX))
    pill.alpha_composite(disc, (x, y))


def _balance(text: str, font: Font, width: int, most: int) -> list[str]:
    """The text in as few lines as it takes, all about as long: no lone word on the last."""
    lines = _wrap(text, font, width, most)
    narrow = width
    while len(lines) > 1 and narrow > width // 2:
        narrow -= max(1, width // 50)
        narrower = _wrap(text, font, narrow, len(lines))
        if "".join(narrower).endswith("…"):  # now it does not fit any more
            break
        lines = narrower
    return lines


def _wrap(text: str, font: Font, width: float, most: int) -> list[str]:
    """The text in at most so many lines, broken between words (or anywhere, where there are none), with … if cut."""
    lines: list[str] = []
    while text and len(lines) < most:
        fits = _fitting(text, font, width)
        if fits < len(text):
            space = text.rfind(" ", 0, fits + 1)
            if len(lines) == most - 1:
                lines.append(text[: _fitting(text, font, width - font.getlength("…"))].rstrip() + "…")
                break
            fits = space if space > 0 else fits
        lines.append(text[:fits].rstrip())
        text = text[fits:].lstrip()
    return lines or [""]


def _fitting(text: str, font: Font, width: float) -> int:
    """How many of the first letters fit; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle - 1)
    return low
