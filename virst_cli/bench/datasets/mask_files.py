"""The true masks of a data set: tables of RLEs (mask_dict; spec/datasets.md section 3), decoded when looked at."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from virst_cli.bench.datasets.tables import Video
from virst_cli.bench.metrics import Mask
from virst_cli.errors import OutputError, UsageError
from virst_cli.files.shown import listed, shown
from virst_cli.outputs import rle

Row = Sequence[Any]  # an annotation: per frame an RLE, a list of them (those of one frame together), or None


class MaskTable:
    """Annotations by number, each with an entry for every frame of its video."""

    def __init__(self, rows: Mapping[str, Row], path: Path) -> None:
        self._rows = rows
        self._path = path

    def check(self, wanted: Iterable[tuple[Video, str, Sequence[str]]]) -> None:
        """Raises `UsageError` unless the annotations of every (video, expression) are there, for all of its frames."""
        lacking = [
            f"{video.name}/{said}: annotation {annotation}"
            for video, said, annotations in wanted
            for annotation in annotations
            if not self._covers(annotation, len(video.frames))
        ]
        require_masks(self._path, lacking)

    def union(self, video: Video, annotations: Sequence[str], place: str = "") -> "UnionOfRles":
        """The masks of several annotations together. place: the expression they are of, for messages."""
        rows = [self._rows[annotation] for annotation in annotations]
        return UnionOfRles(rows, video.stored, f"{video.name}{place}", self._path.name)

    def size(self, annotations: Iterable[str]) -> tuple[int, int] | None:
        """(H, W), as the first RLE of the annotations says; None where there is none."""
        entries = (entry for annotation in annotations for entry in self._rows[annotation])
        for code in (code for entry in entries for code in _codes(entry)):
            size = code.get("size") if isinstance(code, Mapping) else None
            return (size[0], size[1]) if isinstance(size, list | tuple) and len(size) == 2 else None
        return None

    def _covers(self, annotation: str, frames: int) -> bool:
        row = self._rows.get(annotation)
        return isinstance(row, list | tuple) and len(row) >= frames


class UnionOfRles:
    """The masks of an expression: the union of its annotations, None where all are absent."""

    def __init__(self, rows: Sequence[Row], stored: Sequence[int], place: str, table: str) -> None:
        self._rows, self._stored = rows, stored
        self._place, self._table = place, table  # for messages

    def __getitem__(self, frame: int) -> Mask | None:
        codes = [code for row in self._rows for code in _codes(row[self._stored[frame]])]
        try:
            masks = [rle.decode(_plain(code)) for code in codes]
            if any(mask.shape != masks[0].shape for mask in masks):
                raise OutputError("its masks differ in size")
        except OutputError as error:
            place = f"{self._place}, frame {frame} of {self._table}"
            raise UsageError(f"{place}: {error}; fetch the data set again") from None
        return np.logical_or.reduce(masks) if masks else None


def require_masks(place: Path, lacking: Sequence[str]) -> None:
    """Raises `UsageError` that names what lacks masks in a file or folder, if something does."""
    if lacking:
        raise UsageError(f"{shown(place)} lacks masks for {listed(lacking)}; fetch it again")


def _codes(entry: Any) -> list[Any]:
    """The RLEs of an entry: COCO decodes a list of them to a third axis, over which the evaluators sum."""
    return [] if entry is None else list(entry) if isinstance(entry, list | tuple) else [entry]


def _plain(code: Any) -> Any:
    """An RLE with the types of JSON: COCO's own has its counts as bytes."""
    if not isinstance(code, Mapping):
        return code
    counts, size = code.get("counts"), code.get("size")
    return {
        "size": list(size) if isinstance(size, tuple) else size,
        "counts": counts.decode("latin-1") if isinstance(counts, bytes) else counts,
    }
