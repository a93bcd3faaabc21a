"""Names on disk: a sentence becomes a slug, a video its run folder. Whatever the words, names stay in their folder."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

MAX_SLUG_LENGTH = 60  # characters of a slug
MAX_NAME_BYTES = 200  # of it in UTF-8: file systems allow 255, and `.overlay.mp4.partial` and a number come on top
ALL = "all"  # the overlay of several sentences together; no sentence may take it
RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}  # by Windows


def slug(sentence: str) -> str:
    """The sentence in lower case, with every stretch of anything but letters and digits turned into one `-`.

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
    """One slug a sentence, in order, made unique by a number; also on file systems that do not tell ß from ss."""
    taken = {ALL} if len(sentences) > 1 else set()
    return [_unique(slug(sentence), taken) for sentence in sentences]


def run_folder(video: Path, output: Path) -> Path:
    """Where the run of a video, or of a folder of frames, is written: `<stem>.virst` under `output`."""
    if video.name in ("", ".."):  # `.` has a name too; but a link keeps its own
        video = video.resolve()
    stem = video.name if video.is_dir() else video.stem
    printable = "".join(c if c.isprintable() else "-" for c in stem)  # we print it, as one line
    return output / f"{_shorten(printable, MAX_NAME_BYTES) or 'video'}.virst"


def _unique(name: str, taken: set[str]) -> str:
    """The name, or the name with the first free number from 2 on; noted in `taken`."""
    for candidate in _numbered(name):
        if candidate.casefold() not in taken:
            taken.add(candidate.casefold())
            return candidate
    raise AssertionError("numbers do not end")


def _numbered(name: str) -> Iterable[str]:
    """name, name-2, name-3 ... none longer than a slug may be."""
    yield name
    number = 2
    while True:
        suffix = f"-{number}"
        yield _cut(name, MAX_SLUG_LENGTH - len(suffix)) + suffix
        number += 1


def _cut(name: str, longest: int) -> str:
    """The name's beginning within both limits; never ending on a dash."""
    return _shorten(name[:longest], MAX_NAME_BYTES).strip("-")


def _shorten(name: str, longest: int) -> str:
    """The name's beginning that takes at most so many bytes on disk."""
    while len(name.encode("utf-8")) > longest:
        name = name[:-1]
    return name
