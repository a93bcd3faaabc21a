"""The ways of showing a mask. They combine: `fill,outline` is the default, `spotlight,outline` is fine too."""

from dataclasses import dataclass

from virst_cli.errors import UsageError

NAMES = ("fill", "outline", "spotlight", "side-by-side")


@dataclass(frozen=True)
class Style:
    """fill: tint what was found; outline: draw around it; spotlight: dim the rest; side_by_side: the source at left."""

    fill: bool = False
    outline: bool = False
    spotlight: bool = False
    side_by_side: bool = False

    @classmethod
    def parse(cls, text: str) -> "Style":
        """A style from its names, joined by commas; `side-by-side` alone has the default on its right.

        Raises `UsageError`.
        """
        names = [name.strip() for name in text.lower().split(",") if name.strip()]
        unknown = [name for name in names if name not in NAMES]
        if unknown or not names:
            raise UsageError(f"--style {text!r}: give one or more of {', '.join(NAMES)}, joined by commas")
        if set(names) == {"side-by-side"}:
            names += ["fill", "outline"]
        return cls(**{name.replace("-", "_"): name in names for name in NAMES})

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(W, H) of the picture for a frame of (W, H)."""
        return (2 * width if self.side_by_side else width, height)


DEFAULT = Style(fill=True, outline=True)
