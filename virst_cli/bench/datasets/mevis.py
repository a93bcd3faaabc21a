"""MeViS from disk: its split valid_u, the one whose masks are public (spec/datasets.md sections 1 to 3).

    ROOT/mevis/valid_u/JPEGImages/VIDEO/00000.jpg ...
    ROOT/mevis/valid_u/meta_expressions.json   sentences, each with the annotations it means
    ROOT/mevis/valid_u/mask_dict.json          per annotation an RLE, or null, for every frame

What `virst world` writes has this layout too, with a type for every sentence. Tables are checked when the set is
opened: a mistake in them shows at once and not after hours.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from virst_cli.bench.datasets.frames import find_frames
from virst_cli.bench.metrics import Mask
from virst_cli.bench.samples import Expression, Sample
from virst_cli.errors import OutputError, UsageError
from virst_cli.outputs import rle
from virst_cli.video.source import shown

META, MASKS = "meta_expressions.json", "mask_dict.json"
PLACES = ("mevis/valid_u", "MeViS/valid_u", "valid_u", ".")  # below the root; the published name and the usual one

Row = Sequence[dict[str, Any] | None]  # an annotation: an RLE per frame


class MevisSet:
    """The videos of one folder in file order. Raises `UsageError` if it isn't there or lacks a mask."""

    def __init__(self, root: Path, *, name: str = "mevis") -> None:
        self.name = name
        self.folder = _find(root)
        self._videos: dict[str, dict[str, Any]] = _table(self.folder / META).get("videos", {})
        self._masks: dict[str, Row] = _table(self.folder / MASKS)
        self._check()
        self._names = list(self._videos)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        video = self._names[index]
        meta = self._videos[video]
        names = sorted(meta["frames"])  # masks are in the order of the sorted names
        frames, missing = find_frames(self.folder / "JPEGImages", video, names)
        return Sample(
            video=video,
            frame_names=names,
            frames=frames,
            expressions=[
                Expression(key, said["exp"], UnionOfRles(self._rows(said), f"{video}/{key}"), said.get("type"))
                for key, said in meta["expressions"].items()
            ],
            missing=missing,
        )

    def _rows(self, said: dict[str, Any]) -> list[Row]:
        return [self._masks[str(anno)] for anno in said["anno_id"]]

    def _check(self) -> None:
        """Every annotation that a sentence means must be there, with a mask or null for every frame."""
        try:
            lacking = [
                f"{video}/{key}: annotation {anno}"
                for video, meta in self._videos.items()
                for key, said in meta["expressions"].items()
                for anno in said["anno_id"]
                if len(self._masks.get(str(anno), ())) < len(meta["frames"])
            ]
            bare = [
                video
                for video, meta in self._videos.items()
                if not meta["frames"] or not meta["expressions"] or not all(e["exp"] for e in meta["expressions"].values())
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{shown(self.folder / META)}: not in the form of MeViS: {error!r}") from None
        if lacking:
            raise UsageError(f"{shown(self.folder / MASKS)} lacks masks for {', '.join(lacking)}; fetch it again")
        if bare or not self._videos:
            which = ", ".join(bare) or "any video"
            raise UsageError(f"{shown(self.folder / META)} lacks frames or sentences of {which}; fetch it again")


class UnionOfRles:
    """The masks of an expression, decoded when looked at: the union of its annotations, None where all are absent."""

    def __init__(self, rows: Sequence[Row], place: str) -> None:
        self._rows = rows
        self._place = place  # of what, for messages

    def __getitem__(self, frame: int) -> Mask | None:
        codes = [row[frame] for row in self._rows]
        try:
            masks = [rle.decode(code) for code in codes if code is not None]
        except OutputError as error:
            raise UsageError(f"{self._place}, frame {frame} of {MASKS}: {error}; fetch the data set again") from None
        return np.logical_or.reduce(masks) if masks else None


def _find(root: Path) -> Path:
    """The folder with the tables: the root itself, or where a folder of data sets keeps it."""
    for place in PLACES:
        if (root / place / META).is_file():
            return root / place
    looked = ", ".join(shown(root / place / META) for place in PLACES)
    raise UsageError(f"no MeViS under {shown(root)}: none of {looked} is there; give the right folder with --root")


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{shown(path)}: can't be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{shown(path)}: not JSON; fetch it again") from None
    if not isinstance(table, dict):
        raise UsageError(f"{shown(path)}: not a table; fetch it again")
    return table
