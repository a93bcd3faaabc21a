"""Names as they may stand in a message: on one line, without control characters, and not too many of them."""

from collections.abc import Sequence
from pathlib import Path


def shown(path: Path) -> str:
    """The name of a file for a message of one line; one with control characters is escaped."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def listed(names: Sequence[str], limit: int = 5) -> str:
    """The first few names, and how many more there are.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    first = ", ".join(names[:limit])
    return first if len(names) <= limit else f"{first} and {len(names) - limit} more"


def one_line(error: BaseException, limit: int = 300) -> str:
    """The message of an exception without line breaks, cut to `limit` characters."""
    return " ".join(str(error).split())[:limit]
