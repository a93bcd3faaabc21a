"""Converts the lines of masks.jsonl: a header with the size and the sentences, then one line per frame.

    {"schema_version": 1, "size": [H, W], "sentences": [...]}
    {"frame": 0, "time": 0.0, "masks": [RLE or null, ...], "scores": [12.5, ...]}

null is an empty mask. In most frames of "the dog that jumps last" the mask is empty, and 100 bytes per frame would add up.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from virst_cli.errors import OutputError
from virst_cli.outputs import rle
from virst_cli.outputs.arrays import Mask, Masks
from virst_cli.outputs.request_key import SCHEMA_VERSION


@dataclass(frozen=True)
class RecordRow:
    """The masks of one frame.

    index: of the frame, from 0.
    time: in seconds.
    masks: (n, H, W) bool, one per sentence.
    scores: n object scores; above 0 the object is visible.
    """

    index: int
    time: float
    masks: Masks
    scores: tuple[float, ...]


@dataclass(frozen=True)
class RecordHeader:
    """The first line: the size (H, W) of all masks, and the sentences in order."""

    size: tuple[int, int]
    sentences: tuple[str, ...]

    def to_line(self) -> bytes:
        """The header as a line of the file."""
        return _line({"schema_version": SCHEMA_VERSION, "size": list(self.size), "sentences": list(self.sentences)})

    @classmethod
    def from_line(cls, line: bytes) -> "RecordHeader":
        """Reads the first line. Raises `OutputError` if it is damaged or of another schema version."""
        header = _object(line)
        version = header.get("schema_version")
        if version != SCHEMA_VERSION:
            raise OutputError(f"its schema version is {version!r}, but this virst reads {SCHEMA_VERSION}; update virst")
        size, sentences = header.get("size"), header.get("sentences")
        if not isinstance(size, list) or len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
            raise OutputError("its size must be [height, width]")
        if not isinstance(sentences, list) or not sentences or any(not isinstance(s, str) for s in sentences):
            raise OutputError("its sentences must be a list of strings")
        return cls((size[0], size[1]), tuple(sentences))

    def row_to_line(self, index: int, time: float, masks: Sequence[Mask] | Masks, scores: Sequence[float]) -> bytes:
        """A frame as a line of the file. Raises `ValueError` if masks or scores do not fit the header.

        index: of the frame, from 0.
        time: in seconds.
        masks: n of shape (H, W) bool.
        scores: n object scores.
        """
        if len(masks) != len(self.sentences) or len(scores) != len(self.sentences):
            raise ValueError(f"got {len(masks)} masks and {len(scores)} scores for {len(self.sentences)} sentences")
        if any(mask.shape != self.size or mask.dtype != np.bool_ for mask in masks):
            raise ValueError(f"masks must be bool arrays of shape {self.size}, the display size of the video")
        texts = [rle.encode(mask) if mask.any() else None for mask in masks]
        return _line({"frame": index, "time": time, "masks": texts, "scores": [float(score) for score in scores]})

    def row_from_line(self, line: bytes, index: int) -> RecordRow:
        """Reads a line. index: of the frame that must come next. Raises `OutputError` if the line is damaged or another frame."""
        number, time, masks, scores = self._parts(line)
        if number != index:
            raise OutputError(f"it is frame {number} where frame {index} must come")
        decoded = np.zeros((len(masks), *self.size), np.bool_)
        for at, mask in enumerate(masks):
            if mask is not None:
                decoded[at] = self._decode(mask)
        return RecordRow(index, time, decoded, tuple(float(score) for score in scores))

    def _parts(self, line: bytes) -> tuple[int, float, list[Any], list[Any]]:
        """Frame, time, masks and scores of a line, after a check of their types and numbers."""
        row = _object(line)
        index, time, masks, scores = (row.get(name) for name in ("frame", "time", "masks", "scores"))
        if type(index) is not int or index < 0:
            raise OutputError("its frame must be a number from 0")
        if not _finite(time):
            raise OutputError("its time must be a number of seconds")
        if not isinstance(masks, list) or len(masks) != len(self.sentences):
            raise OutputError(f"it must hold {len(self.sentences)} masks")
        if not isinstance(scores, list) or len(scores) != len(masks) or not all(map(_finite, scores)):
            raise OutputError(f"it must hold {len(masks)} scores")
        return index, float(time), masks, scores

    def _decode(self, mask: Any) -> Mask:
        """Decodes one mask. Raises `OutputError` if it is damaged or differs from the header in size."""
        if not isinstance(mask, dict) or mask.get("size") != list(self.size):
            raise OutputError(f"a mask is not of size {list(self.size)}")
        return rle.decode(mask)


def _line(value: dict[str, Any]) -> bytes:
    """One line of JSON. A lone surrogate becomes \\udcXX, which is also how JSON escapes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    """Parses a line that holds a JSON object."""
    if not line.endswith(b"\n"):
        raise OutputError("it is incomplete")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise OutputError("it is not valid JSON") from None
    if not isinstance(value, dict):
        raise OutputError("it is not a JSON object")
    return value


def _finite(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number; JSON from Python may hold NaN and Infinity."""
    return type(value) in (int, float) and -1e300 < value < 1e300  # this also refuses integers that are too large for a float
