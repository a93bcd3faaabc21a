"""Fonts for the label: the font that ships with Pillow, or a system font that has more of the needed letters."""

import unicodedata
from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

# searched only if a sentence needs them; each comes with one of the common systems, and has letters that those before lack
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "PingFang.ttc",
    "msyh.ttc",
    "NotoSansDevanagari-Regular.ttf",
)
REPLACEMENT = "?"  # for letters that no font on this machine has


def legible(sentence: str, size: int) -> tuple[str, Font]:
    """A sentence in letters that can be drawn, on one line, and the font to draw it with. size: of the font, in pixels."""
    text = " ".join(unicodedata.normalize("NFC", sentence).split())
    text = "".join(c for c in text if c.isprintable())  # control characters and lone surrogates have no shape
    font = _default_font(size)
    missing = _missing_letters(font, text)
    for name in SYSTEM_FONTS if missing else ():
        other = _system_font(name, size)
        if other is not None and len(_missing_letters(other, text)) < len(missing):
            font, missing = other, _missing_letters(other, text)
    return "".join(REPLACEMENT if c in missing else c for c in text), font


@cache
def _default_font(size: int) -> Font:
    """Pillow's own font (Aileron), which is on every machine."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType; run pip install --force-reinstall pillow")
    return font


@cache
def _system_font(name: str, size: int) -> Font | None:
    """A system font; None if this machine does not have it."""
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _missing_letters(font: Font, text: str) -> set[str]:
    """The letters of a text that a font does not have."""
    placeholder = _shape(font, "\U0010ffff")  # not a letter, so this is what a font draws for letters that it lacks
    return {c for c in set(text) - {" "} if _shape(font, c) == placeholder}


@cache
def _shape(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    """Size and pixels of a letter, for comparison."""
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
