"""The lines of masks.jsonl: a first line that says what the masks are of, then one line a frame.

    {"schema_version": 1, "size": [H, W], "sentences": [...]}
    {"frame": 0, "time": 0.0, "masks": [RLE or null, ...], "scores": [12.5, ...]}

null is an empty mask: most frames of "the dog that jumps last" have none, and a hundred bytes a frame add up.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from virst_cli.errors import OutputError
from virst_cli.outputs import rle
from virst_cli.outputs.request_key import SCHEMA_VERSION

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class RecordRow:
    """What the model said about one frame. masks: (n, H, W) bool; scores: n object scores (above 0: visible)."""

    index: int
    time: float  # seconds
    masks: Masks
    scores: tuple[float, ...]


@dataclass(frozen=True)
class RecordHeader:
    """The first line: size (H, W) of every mask, and the sentences in order."""

    size: tuple[int, int]
    sentences: tuple[str, ...]

    def to_line(self) -> bytes:
        """As it stands in the file."""
        return _line({"schema_version": SCHEMA_VERSION, "size": list(self.size), "sentences": list(self.sentences)})

    @classmethod
    def from_line(cls, line: bytes) -> "RecordHeader":
        """Reads the first line. Raises `OutputError`."""
        header = _object(line)
        version = header.get("schema_version")
        if version != SCHEMA_VERSION:
            raise OutputError(f"schema version {version!r}, this virst reads {SCHEMA_VERSION}; update virst")
        size, sentences = header.get("size"), header.get("sentences")
        if not isinstance(size, list) or len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
            raise OutputError("its size must be [height, width]")
        if not isinstance(sentences, list) or not sentences or any(not isinstance(s, str) for s in sentences):
            raise OutputError("its sentences must be a list of text")
        return cls((size[0], size[1]), tuple(sentences))

    def row_to_line(self, index: int, time: float, masks: Sequence[Masks] | Masks, scores: Sequence[float]) -> bytes:
        """A frame as a line. Raises `ValueError` where masks or scores do not fit the header."""
        if len(masks) != len(self.sentences) or len(scores) != len(self.sentences):
            raise ValueError(f"{len(self.sentences)} sentences, {len(masks)} masks and {len(scores)} scores")
        if any(mask.shape != self.size or mask.dtype != np.bool_ for mask in masks):
            raise ValueError(f"masks must be bool of shape {self.size}, as the video is displayed")
        texts = [rle.encode(mask) if mask.any() else None for mask in masks]
        return _line({"frame": index, "time": time, "masks": texts, "scores": [float(score) for score in scores]})

    def row_from_line(self, line: bytes, index: int) -> RecordRow:
        """A line as the frame that must come next. Raises `OutputError`."""
        number, time, masks, scores = self._parts(line)
        if number != index:
            raise OutputError(f"it is frame {number} where {index} comes next")
        decoded = np.zeros((len(masks), *self.size), np.bool_)
        for at, mask in enumerate(masks):
            if mask is not None:
                decoded[at] = self._decode(mask)
        return RecordRow(index, time, decoded, tuple(float(score) for score in scores))

    def _parts(self, line: bytes) -> tuple[int, float, list[Any], list[Any]]:
        """The four parts of a row, each of the right kind."""
        row = _object(line)
        index, time, masks, scores = (row.get(name) for name in ("frame", "time", "masks", "scores"))
        if type(index) is not int or index < 0:
            raise OutputError("its frame must be a number")
        if not _finite(time):
            raise OutputError("its time must be seconds")
        if not isinstance(masks, list) or len(masks) != len(self.sentences):
            raise OutputError(f"it must hold {len(self.sentences)} masks")
        if not isinstance(scores, list) or len(scores) != len(masks) or not all(map(_finite, scores)):
            raise OutputError(f"it must hold {len(masks)} scores")
        return index, float(time), masks, scores

    def _decode(self, mask: Any) -> Masks:
        """One mask, which must be of the size of all."""
        if not isinstance(mask, dict) or mask.get("size") != list(self.size):
            raise OutputError(f"a mask is not of size {list(self.size)}")
        return rle.decode(mask)


def _line(value: dict[str, Any]) -> bytes:
    """One line of JSON; a lone surrogate becomes \\udcXX, which is just how JSON escapes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object on a line that is whole."""
    if not line.endswith(b"\n"):
        raise OutputError("it breaks off")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise OutputError("it is no JSON") from None
    if not isinstance(value, dict):
        raise OutputError("it is no JSON object")
    return value


def _finite(value: Any) -> TypeGuard[float]:
    """Whether a value is a plain number (JSON's NaN and Infinity are not)."""
    return type(value) in (int, float) and -1e300 < value < 1e300  # also turns away an integer that no float can hold
