"""Letters for the label: the font that ships with Pillow, or one of the system's that has more of the letters."""

import unicodedata
from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

# asked for only when a sentence needs it; each is on most machines of one kind, and covers what the ones before do not
WIDER = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "PingFang.ttc",
    "msyh.ttc",
    "NotoSansDevanagari-Regular.ttf",
)
REPLACEMENT = "?"  # for letters that no font here has


def legible(sentence: str, size: int) -> tuple[str, Font]:
    """The sentence as it can be drawn, on one line, and the font to draw it with. size: pixels."""
    text = " ".join(unicodedata.normalize("NFC", sentence).split())
    text = "".join(c for c in text if c.isprintable())  # control characters and lone surrogates have no shape
    font, lacks = _own(size), _lacks(_own(size), text)
    for name in WIDER if lacks else ():
        other = _system(name, size)
        if other is not None and len(_lacks(other, text)) < len(lacks):
            font, lacks = other, _lacks(other, text)
    return "".join(REPLACEMENT if c in lacks else c for c in text), font


@cache
def _own(size: int) -> Font:
    """Pillow's own font (Aileron), which is on every machine."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; install one from PyPI")
    return font


@cache
def _system(name: str, size: int) -> Font | None:
    """A font of the system, or None."""
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _lacks(font: Font, text: str) -> set[str]:
    """The letters that a font has no shape of its own for."""
    nothing = _shape(font, "\U0010ffff")  # never a letter: what a font shows for those it lacks
    return {c for c in set(text) - {" "} if _shape(font, c) == nothing}


@cache
def _shape(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    """A letter's picture, to compare."""
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
