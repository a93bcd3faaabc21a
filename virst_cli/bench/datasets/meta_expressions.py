"""Reads the tables of a data set, above all meta_expressions.json: its videos, frames and sentences (spec/datasets.md section 2).

Tables are checked when the data set is opened, so that a mistake does not show up after hours. Names become paths, so names that
lead out of their folder are refused.
"""

import io
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from virst_cli.errors import UsageError
from virst_cli.files.shown import shown


@dataclass(frozen=True)
class ExpressionEntry:
    """A referring expression in the table. fields: everything that the table says about it."""

    id: str
    text: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class VideoEntry:
    """A video in the table.

    frames: names of its frames, without suffix.
    stored_order: the position of each frame in the table's own list, which is the order of the masks.
    expressions: about the video.
    fields: everything that the table says about it.
    """

    name: str
    frames: Sequence[str]
    stored_order: Sequence[int]
    expressions: Sequence[ExpressionEntry]
    fields: Mapping[str, Any]


def read_videos(path: Path, *, sort_frames: bool) -> dict[str, VideoEntry]:
    """Reads the videos of a meta_expressions.json.

    path: the file, whose order is kept.
    sort_frames: put the frames of each video in order by name; otherwise they keep the order of the file.

    Raises `UsageError` for a file of another form.
    """
    try:
        videos = {name: _video(name, fields, sort_frames) for name, fields in read_json(path)["videos"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{shown(path)} does not have the published form ({error!r}); download it again") from None
    if not videos:
        raise UsageError(f"{shown(path)} has no videos; download it again")
    return videos


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object. Raises `UsageError` for anything else."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{shown(path)} can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{shown(path)} is not JSON; download it again") from None
    return _table(table, path)


def read_pickle(path: Path) -> dict[str, Any]:
    """Reads a pickled dict of plain containers, text, numbers and bytes.

    Raises `UsageError` for anything else; no code from the file is run.
    """
    try:
        table = _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except OSError as error:
        raise UsageError(f"{shown(path)} can't be read ({error.strerror})") from None
    except Exception as error:  # damaged pickles raise nearly anything
        raise UsageError(f"{shown(path)} is not a pickle of plain tables ({error}); download it again") from None
    return _table(table, path)


class _PlainUnpickler(pickle.Unpickler):
    """Resolves no names, so that no function can be called; dicts, lists, tuples, text, numbers and bytes need none."""

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _table(table: Any, path: Path) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{shown(path)} is not a table; download it again")
    return {str(key): value for key, value in table.items()}


def _video(name: str, fields: Mapping[str, Any], sort_frames: bool) -> VideoEntry:
    """An entry from its fields in the file. Raises KeyError, TypeError, AttributeError or ValueError for another form."""
    frames = [_name(frame) for frame in fields["frames"]]
    if not frames or len(set(frames)) != len(frames):
        raise ValueError(f"video {name!r} has no frames, or the same frame twice")
    order = sorted(range(len(frames)), key=frames.__getitem__) if sort_frames else list(range(len(frames)))
    listed = fields["expressions"]
    keyed = listed.items() if isinstance(listed, dict) else ((entry["exp_id"], entry) for entry in listed)  # a list in ReasonVOS
    expressions = [_expression(str(key), entry) for key, entry in keyed]
    if not expressions:
        raise ValueError(f"video {name!r} has no expressions")
    return VideoEntry(_name(name, folders=True), [frames[position] for position in order], order, expressions, fields)


def _expression(key: str, fields: Mapping[str, Any]) -> ExpressionEntry:
    text = fields["exp"] if "exp" in fields else fields["exp_text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expression {key!r} has no text")
    return ExpressionEntry(_name(key), text, fields)


def _name(name: str, *, folders: bool = False) -> str:
    """Returns the name if it is safe as a path, or with `folders` as several folders. Raises ValueError otherwise."""
    parts = name.split("/") if folders else [name]
    if any(part in ("", ".", "..") or not part.isprintable() or "/" in part or "\\" in part for part in parts):
        raise ValueError(f"{name!r} is not a valid name")
    return name
