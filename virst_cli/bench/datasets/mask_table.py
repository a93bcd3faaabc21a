"""The true masks of a data set: tables of RLEs (mask_dict; spec/datasets.md section 3), decoded when they are used."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from virst_cli.bench.datasets.meta_expressions import VideoEntry
from virst_cli.bench.metrics import Mask
from virst_cli.errors import OutputError, UsageError
from virst_cli.files.shown import listed, shown
from virst_cli.outputs import rle

Annotation = Sequence[Any]  # for every frame an RLE, a list of RLEs (whose union is meant), or None


class MaskTable:
    """Annotations by key, each with an entry for every frame of its video."""

    def __init__(self, annotations: Mapping[str, Annotation], path: Path) -> None:
        self._annotations = annotations
        self._path = path

    def check(self, wanted: Iterable[tuple[VideoEntry, str, Sequence[str]]]) -> None:
        """Raises `UsageError` unless all annotations are there, for every frame.

        wanted: video, id of an expression, and keys of the annotations that it refers to.
        """
        lacking = [
            f"{video.name}/{expression}: annotation {annotation}"
            for video, expression, annotations in wanted
            for annotation in annotations
            if not self._covers(annotation, len(video.frames))
        ]
        require_masks(self._path, lacking)

    def union(self, video: VideoEntry, annotations: Sequence[str], expression: str | None = None) -> "UnionOfRles":
        """The masks of several annotations together. expression: the id of the one that they belong to, for messages."""
        rows = [self._annotations[annotation] for annotation in annotations]
        owner = video.name if expression is None else f"{video.name}/{expression}"
        return UnionOfRles(rows, video.stored_order, owner, self._path.name)

    def size(self, annotations: Iterable[str]) -> tuple[int, int] | None:
        """(H, W) of the first RLE of the annotations; None where there is none."""
        entries = (entry for annotation in annotations for entry in self._annotations[annotation])
        for code in (code for entry in entries for code in _codes(entry)):
            size = code.get("size") if isinstance(code, Mapping) else None
            return (size[0], size[1]) if isinstance(size, list | tuple) and len(size) == 2 else None
        return None

    def _covers(self, annotation: str, frames: int) -> bool:
        row = self._annotations.get(annotation)
        return isinstance(row, list | tuple) and len(row) >= frames


class UnionOfRles:
    """The masks of an expression: the union of its annotations, None where all of them are absent."""

    def __init__(self, annotations: Sequence[Annotation], stored_order: Sequence[int], owner: str, table: str) -> None:
        self._annotations, self._stored_order = annotations, stored_order
        self._owner, self._table = owner, table  # for messages

    def __getitem__(self, frame: int) -> Mask | None:
        codes = [code for row in self._annotations for code in _codes(row[self._stored_order[frame]])]
        try:
            masks = [rle.decode(_plain(code)) for code in codes]
            if any(mask.shape != masks[0].shape for mask in masks):
                raise OutputError("its masks differ in size")
        except OutputError as error:
            source = f"{self._owner}, frame {frame} of {self._table}"
            raise UsageError(f"{source}: {error}; download the data set again") from None
        return np.logical_or.reduce(masks) if masks else None


def require_masks(path: Path, lacking: Sequence[str]) -> None:
    """Raises `UsageError` if anything lacks masks.

    path: the file or folder with the masks.
    lacking: names of what has none there.
    """
    if lacking:
        raise UsageError(f"{shown(path)} lacks masks for {listed(lacking)}; download it again")


def _codes(entry: Any) -> list[Any]:
    """The RLEs of an entry. COCO decodes a list of them to a third axis, over which the evaluators sum."""
    return [] if entry is None else list(entry) if isinstance(entry, list | tuple) else [entry]


def _plain(code: Any) -> Any:
    """An RLE with JSON types; COCO's own have their counts as bytes."""
    if not isinstance(code, Mapping):
        return code
    counts, size = code.get("counts"), code.get("size")
    return {
        "size": list(size) if isinstance(size, tuple) else size,
        "counts": counts.decode("latin-1") if isinstance(counts, bytes) else counts,
    }
