"""Names of files and folders: a slug for each sentence, a run folder for each video. No text leads out of the folder."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

MAX_SLUG_LENGTH = 60  # characters of a slug
MAX_NAME_BYTES = 200  # in UTF-8, of a slug or stem: file systems allow 255, and `.overlay.mp4.partial` and a number are added
ALL = "all"  # name of the overlay of several sentences together; no slug of one of them may be the same
# names that Windows reserves for devices
RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}


def slug(sentence: str) -> str:
    """The sentence in lower case, with one `-` in place of each stretch of other characters than letters and digits.

    >>> slug("The dog that jumps last!")
    'the-dog-that-jumps-last'
    >>> slug("../../etc/passwd"), slug("???"), slug("CON")
    ('etc-passwd', 'sentence', 'sentence-con')
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", sentence).lower())
    words = "".join(c if c.isalnum() else " " for c in text).split()
    name = _cut("-".join(words), MAX_SLUG_LENGTH) or "sentence"
    return f"sentence-{name}" if name in RESERVED else name


def slugs(sentences: Sequence[str]) -> list[str]:
    """A slug per sentence, in order, made unique by a number.

    Slugs that differ only in case, or in ß and ss, count as the same, because they do on some file systems.
    """
    taken = {ALL} if len(sentences) > 1 else set()
    return [_unique(slug(sentence), taken) for sentence in sentences]


def run_folder(video: Path, output: Path) -> Path:
    """The run folder of a video or folder of frames: `<stem>.virst` in the folder `output`."""
    if video.name in ("", ".."):  # a path such as `.` gets the folder's name; a link keeps its own name
        video = video.resolve()
    stem = video.name if video.is_dir() else video.stem
    printable = "".join(c if c.isprintable() else "-" for c in stem)  # because the name is printed on one line
    return output / f"{_shorten(printable, MAX_NAME_BYTES) or 'video'}.virst"


def _unique(name: str, taken: set[str]) -> str:
    """The name itself, or if it is taken, the name with the first free number from 2 on. Adds it to `taken`."""
    for candidate in _numbered(name):
        if candidate.casefold() not in taken:
            taken.add(candidate.casefold())
            return candidate
    raise AssertionError("_numbered never ends")


def _numbered(name: str) -> Iterable[str]:
    """Yields name, name-2, name-3 ..., each cut to the length of a slug."""
    yield name
    number = 2
    while True:
        suffix = f"-{number}"
        yield _cut(name, MAX_SLUG_LENGTH - len(suffix)) + suffix
        number += 1


def _cut(name: str, max_length: int) -> str:
    """Cuts a name to `max_length` characters and MAX_NAME_BYTES bytes, without dashes at its ends."""
    return _shorten(name[:max_length], MAX_NAME_BYTES).strip("-")


def _shorten(name: str, max_bytes: int) -> str:
    """Cuts a name to at most `max_bytes` bytes of UTF-8."""
    while len(name.encode("utf-8")) > max_bytes:
        name = name[:-1]
    return name
