"""Times of a video on the command line."""

import math
import re

import typer

_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d*)?|\.\d+)")


def parse_time(text: str | float) -> float:
    """Seconds from `75`, `75.5`, `1:15` or `00:01:15.500`.

    >>> parse_time("00:01:15.5")
    75.5
    """
    match = _CLOCK.fullmatch(str(text).strip())
    if match is None or (match[2] and float(match[3]) >= 60):
        raise typer.BadParameter(f"{str(text)!r} is no time; give seconds or HH:MM:SS, such as 75.5 or 00:01:15.500")
    value = int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])
    if not math.isfinite(value):
        raise typer.BadParameter(f"{str(text)!r} is longer than any video")
    return value
