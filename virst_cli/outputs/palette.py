"""A colour for every sentence: Okabe and Ito's palette, which is safe for colour-blind viewers, then colours far from all others.

Okabe & Ito, "Color Universal Design" (2008). Their black is left out because it can't be seen in dark video; white comes last.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from virst_cli.errors import UsageError

Colour = tuple[int, int, int]

# sky blue first: people, animals, roads and plants are seldom blue, so the colour of a single sentence stands out
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
LEVELS = (0, 51, 102, 153, 204, 255)  # of each channel, from which further colours are made
MIN_LIGHTNESS = 0.45  # OKLab lightness of further colours; darker lines can't be seen in shadows


def parse_colour(text: str) -> Colour:
    """A colour from `#rrggbb`, a name of the palette, or a CSS name. Raises `UsageError` for any other text."""
    name = text.strip().lower()
    if name in OKABE_ITO:
        return OKABE_ITO[name]
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        names = ", ".join(OKABE_ITO)
        raise UsageError(f"--color {text!r} is not a colour; give #rrggbb or a name such as {names}") from None


def colours(count: int, chosen: Sequence[Colour] = ()) -> list[Colour]:
    """`count` colours: the chosen ones first, then those of the palette, then new ones as far from all others as possible.

    >>> colours(2)
    [(86, 180, 233), (230, 159, 0)]
    """
    found = list(chosen) + [colour for colour in OKABE_ITO.values() if colour not in chosen]
    if count > len(found):
        found += _more_colours(found, count - len(found))
    return found[:count]


def _more_colours(given: Sequence[Colour], count: int) -> list[Colour]:
    """New colours, each as far as possible from all before it, measured in OKLab, where distance matches what people see."""
    pool = np.array(list(product(LEVELS, repeat=3)))
    labs = _oklab(pool)
    pool, labs = pool[labs[:, 0] >= MIN_LIGHTNESS], labs[labs[:, 0] >= MIN_LIGHTNESS]
    nearest = np.min(np.linalg.norm(labs[:, None] - _oklab(np.array(given))[None], axis=-1), axis=1)
    found: list[Colour] = []
    for _ in range(count):
        best = int(nearest.argmax())
        red, green, blue = pool[best].tolist()
        found.append((red, green, blue))
        nearest = np.minimum(nearest, np.linalg.norm(labs - labs[best], axis=-1))
    return found


def _oklab(rgb: NDArray[np.int64]) -> NDArray[np.float64]:
    """Converts colours (n, 3) from sRGB 0..255 to OKLab: lightness, green-red, blue-yellow. Ottosson (2020)."""
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
