"""Parsers of option values: sizes in bytes, times of a video, and pairs of whole numbers."""

import math
import re

import typer

_SIZE = re.compile(r"([\d.]*)\s*(.*)", re.DOTALL)  # matches any text; what is not a number or a unit is found afterwards
_BYTES_PER_UNIT = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d*)?|\.\d+)")  # hours, minutes, seconds


def parse_size(text: str) -> int:
    """Parse a size in bytes: `4GB`, `3.5G`, `4GiB`, `900MB`, or a plain number. Raises typer.BadParameter.

    >>> parse_size("900MB")
    900000000
    """
    number, unit = _SIZE.fullmatch(text.strip()).groups()  # type: ignore[union-attr]
    try:
        size = round(float(number) * _BYTES_PER_UNIT[unit.upper().removesuffix("B")])
    except (ValueError, KeyError):
        raise typer.BadParameter(f"{text!r} is not a size; write for example 4GB or 900MB") from None
    if size < 1:
        raise typer.BadParameter(f"{text!r} is less than one byte; write for example 4GB or 900MB")
    return size


def parse_time(text: str | float) -> float:
    """Parse a time in seconds: `75`, `75.5`, `1:15` or `00:01:15.500`. Raises typer.BadParameter.

    >>> parse_time("00:01:15.5")
    75.5
    """
    match = _CLOCK.fullmatch(str(text).strip())
    if match is None or (match[2] and float(match[3]) >= 60):
        raise typer.BadParameter(f"{str(text)!r} is not a time; write seconds or HH:MM:SS, for example 75.5 or 00:01:15.500")
    seconds = int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])
    if not math.isfinite(seconds):
        raise typer.BadParameter(f"{str(text)!r} is longer than any video")
    return seconds


def parse_pair(text: str, separator: str, example: str) -> tuple[int, int]:
    """Parse two whole numbers, such as `128x64` or `1/4`. Raises typer.BadParameter.

    text: the option's value.
    separator: what stands between the numbers, in lower case.
    example: the option with a valid value, shown in the error message.
    """
    left, _, right = text.lower().partition(separator)
    if not (left.isdecimal() and right.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not two whole numbers; write for example {example}")
    return int(left), int(right)
