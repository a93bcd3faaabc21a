"""The source's sound beside new pictures: which arguments make ffmpeg carry it over, in step."""

from fractions import Fraction
from pathlib import Path

from virst_cli.video import source
from virst_cli.video.header import Header, read_header

# What players expect in these containers is copied as it is; anything else is encoded anew.
_COPIED = {
    "mp4": ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"),
    "mov": ("aac", "mp3", "ac3", "eac3", "alac"),
}


def arguments(path: Path | None, container: str, start: float, end: float | None) -> tuple[list[str], list[str]]:
    """ffmpeg's arguments for the sound of `path` from `start` to `end` seconds: as its second input, and in its output.

    Both are empty if there is no sound.
    """
    if path is None or source.is_folder(path):
        return [], []
    header = read_header(path)
    if header.audio is None:
        return [], []
    codec = "copy" if header.audio_codec in _COPIED[container] else "aac"
    before = [*_range(header, start, end), *source.arguments(path)]
    return before, ["-map", f"1:{header.audio}", "-c:a", codec]


def _range(header: Header, start: float, end: float | None) -> list[str]:
    skip = Fraction(start) - header.audio_delay
    shift = ["-ss", f"{float(skip):.6f}"] if skip > 0 else ["-itsoffset", f"{float(-skip):.6f}"]
    return shift if end is None else [*shift, "-t", f"{end - max(start, float(header.audio_delay)):.6f}"]
