"""A colour for every sentence, told apart by colour-blind eyes too: Okabe and Ito's set, then whatever is far from all.

Okabe & Ito, "Color Universal Design" (2008). Their black is left out (it vanishes in video), white stands last.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from virst_cli.errors import UsageError

Colour = tuple[int, int, int]

# sky blue first: people, animals, roads and plants are seldom blue, so one sentence alone stands out on most videos
OKABE_ITO: dict[str, Colour] = {
    "sky-blue": (86, 180, 233),
    "orange": (230, 159, 0),
    "purple": (204, 121, 167),
    "yellow": (240, 228, 66),
    "green": (0, 158, 115),
    "vermillion": (213, 94, 0),
    "blue": (0, 114, 178),
    "white": (255, 255, 255),
}
LEVELS = (0, 51, 102, 153, 204, 255)  # of each channel, for further colours
DARKEST = 0.45  # lightness (OKLab) below which a line is lost in shadows


def parse_colour(text: str) -> Colour:
    """A colour from `#rrggbb`, a name of the palette, or a CSS name. Raises `UsageError`."""
    name = text.strip().lower()
    if name in OKABE_ITO:
        return OKABE_ITO[name]
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        names = ", ".join(OKABE_ITO)
        raise UsageError(f"--color {text!r} is no colour; give #rrggbb or a name: {names}") from None


def colours(count: int, chosen: Sequence[Colour] = ()) -> list[Colour]:
    """One colour a sentence: those chosen first, then the palette, then new ones as far from all others as can be.

    >>> colours(2)
    [(86, 180, 233), (230, 159, 0)]
    """
    given = list(chosen) + [colour for colour in OKABE_ITO.values() if colour not in chosen]
    if count > len(given):
        given += _farther(given, count - len(given))
    return given[:count]


def _farther(given: Sequence[Colour], count: int) -> list[Colour]:
    """New colours, each the one farthest (in OKLab, where distance is what eyes see) from all before it."""
    pool = np.array(list(product(LEVELS, repeat=3)))
    labs = _oklab(pool)
    pool, labs = pool[labs[:, 0] >= DARKEST], labs[labs[:, 0] >= DARKEST]
    nearest = np.min(np.linalg.norm(labs[:, None] - _oklab(np.array(given))[None], axis=-1), axis=1)
    found: list[Colour] = []
    for _ in range(count):
        best = int(nearest.argmax())
        red, green, blue = pool[best].tolist()
        found.append((red, green, blue))
        nearest = np.minimum(nearest, np.linalg.norm(labs - labs[best], axis=-1))
    return found


def _oklab(rgb: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 3) sRGB 0..255 in OKLab: lightness, green-red, blue-yellow. Ottosson (2020)."""
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    lab: NDArray[np.float64] = np.cbrt(linear @ to_lms.T) @ to_lab.T
    return lab
