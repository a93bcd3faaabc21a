"""How many frames an MP4 or MOV file claims to hold, which ffmpeg does not print.

The file is a tree of boxes (ISO/IEC 14496-12, section 4.2): a length, a name of four letters, a body. The count stands
in moov > trak > mdia > minf > stbl > stsz. Only box heads are read, so this takes no time on a large file.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_BOXES = 100_000  # at one level; a damaged file could hold an endless row of tiny boxes


def frame_count(path: Path, stream: int) -> int | None:
    """How many frames a stream claims. None if the file is not MP4, or shows other frames than it stores (edit lists)."""
    try:
        with path.open("rb") as file:
            return _count(file, path.stat().st_size, stream)
    except (OSError, struct.error):
        return None


def _count(file: BinaryIO, size: int, stream: int) -> int | None:
    if file.read(8)[4:] != b"ftyp":
        return None
    movie = _find(file, (0, size), b"moov")
    tracks = [span for name, span in _boxes(file, movie) if name == b"trak"] if movie else []
    if movie is None or stream >= len(tracks):
        return None
    track = tracks[stream]
    sizes = _find(file, track, b"mdia", b"minf", b"stbl", b"stsz")
    if sizes is None or not _shows_all(file, movie, track):
        return None
    file.seek(sizes[0] + 8)  # version and flags, common size
    (count,) = struct.unpack(">I", file.read(4))
    return count or None  # 0: the frames are in fragments, counted nowhere


def _shows_all(file: BinaryIO, movie: tuple[int, int], track: tuple[int, int]) -> bool:
    """Whether the edit list leaves every stored frame in. It is often there only to say when the first one is shown."""
    edits = _find(file, track, b"edts", b"elst")
    if edits is None:
        return True
    file.seek(edits[0])
    version, count = struct.unpack(">B3xI", file.read(8))
    form = ">Qq4x" if version == 1 else ">Ii4x"
    width = struct.calcsize(form)
    entries = [struct.unpack(form, file.read(width)) for _ in range(min(count, 3))]
    shown = [(length, begin) for length, begin in entries if begin >= 0]  # -1: an empty edit, a delay
    if len(shown) != 1:
        return False
    length, begin = shown[0]
    movie_scale, _ = _scale_and_length(file, _find(file, movie, b"mvhd"))
    scale, stored = _scale_and_length(file, _find(file, track, b"mdia", b"mdhd"))
    whole = (length + 1) * scale >= stored * movie_scale  # + 1: the film's clock is coarser, its lengths are rounded
    return bool(begin <= _first_offset(file, track) and whole)


def _scale_and_length(file: BinaryIO, span: tuple[int, int] | None) -> tuple[int, int]:
    """Ticks a second, and length in ticks, from an mvhd or mdhd box."""
    if span is None:
        raise struct.error
    file.seek(span[0])
    version = file.read(4)[0]
    body = struct.unpack(">QQIQ", file.read(28)) if version == 1 else struct.unpack(">IIII", file.read(16))
    return body[2], body[3]


def _first_offset(file: BinaryIO, track: tuple[int, int]) -> int:
    """Ticks by which the first frame is shown after it is decoded; above 0 where frames are stored out of order."""
    span = _find(file, track, b"mdia", b"minf", b"stbl", b"ctts")
    if span is None:
        return 0
    file.seek(span[0] + 8)
    _, offset = struct.unpack(">Ii", file.read(8))
    return int(offset)


def _find(file: BinaryIO, span: tuple[int, int], *names: bytes) -> tuple[int, int] | None:
    """The body of the first box with this path of names."""
    found: tuple[int, int] | None = span
    for name in names:
        found = next((body for other, body in _boxes(file, found) if other == name), None) if found else None
    return found


def _boxes(file: BinaryIO, span: tuple[int, int]) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Name and body (from, to) of the boxes in a span."""
    at, end = span
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:  # the length is in the next 8 bytes
            (size,) = struct.unpack(">Q", file.read(8))
            head = 16
        stop = end if size == 0 else at + size  # 0: up to the end
        if stop < at + head:
            return
        yield name, (at + head, min(stop, end))
        at = stop
