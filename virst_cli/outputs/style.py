"""Styles of an overlay, which can be combined, such as `fill,outline` (the default) or `spotlight,outline`."""

from dataclasses import dataclass

from virst_cli.errors import UsageError

NAMES = ("fill", "outline", "spotlight", "side-by-side")


@dataclass(frozen=True)
class Style:
    """How masks are shown on a frame.

    fill: tint the objects.
    outline: draw a line around them.
    spotlight: dim everything else.
    side_by_side: show the frame on the left and the overlay on the right.
    """

    fill: bool = False
    outline: bool = False
    spotlight: bool = False
    side_by_side: bool = False

    @classmethod
    def parse(cls, text: str) -> "Style":
        """A style from names joined by commas. `side-by-side` alone includes the default style.

        Raises `UsageError` if there is no name, or an unknown one.
        """
        names = [name.strip() for name in text.lower().split(",") if name.strip()]
        unknown = [name for name in names if name not in NAMES]
        if unknown or not names:
            raise UsageError(f"--style {text!r} is not valid; give one or more of {', '.join(NAMES)}, joined by commas")
        if set(names) == {"side-by-side"}:
            names += ["fill", "outline"]
        return cls(**{name.replace("-", "_"): name in names for name in NAMES})

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(W, H) of the overlay for a frame of (W, H) pixels."""
        return (2 * width if self.side_by_side else width, height)


DEFAULT = Style(fill=True, outline=True)
