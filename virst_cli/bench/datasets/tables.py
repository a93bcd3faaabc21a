"""The tables of a data set: which videos, frames and sentences it has (spec/datasets.md section 2).

A mistake in them shows when the set is opened and not after hours. Names become paths, so they may not lead out of the
folder of their kind.
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
class Said:
    """A sentence of the table. fields: all that the table says of it."""

    id: str
    text: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Video:
    """A video of the table.

    frames: names without suffix; stored: the place that each has in the table's own list, which is the order of the masks.
    """

    name: str
    frames: Sequence[str]
    stored: Sequence[int]
    said: Sequence[Said]
    fields: Mapping[str, Any]


def read_videos(path: Path, *, sort_frames: bool) -> dict[str, Video]:
    """The videos of a meta_expressions.json in the order of the file. Raises `UsageError` for a table of another form."""
    try:
        videos = {name: _video(name, fields, sort_frames) for name, fields in read_json(path)["videos"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{shown(path)}: not in the published form: {error!r}; fetch it again") from None
    if not videos:
        raise UsageError(f"{shown(path)} lacks any video; fetch it again")
    return videos


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises `UsageError`."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{shown(path)}: can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{shown(path)}: not JSON; fetch it again") from None
    return _table(table, path)


def read_pickle(path: Path) -> dict[str, Any]:
    """A pickled dict of plain containers, text, numbers and bytes. Raises `UsageError` for anything else, and runs none of it."""
    try:
        table = _Plain(io.BytesIO(path.read_bytes())).load()
    except OSError as error:
        raise UsageError(f"{shown(path)}: can't be read: {error.strerror}") from None
    except Exception as error:  # damaged pickles raise nearly anything
        raise UsageError(f"{shown(path)}: not a pickle of plain tables ({error}); fetch it again") from None
    return _table(table, path)


class _Plain(pickle.Unpickler):
    """Knows no name at all, so no function can be called; what needs none are dicts, lists, tuples, text, numbers and bytes."""

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _table(table: Any, path: Path) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{shown(path)}: not a table; fetch it again")
    return {str(key): value for key, value in table.items()}


def _video(name: str, fields: Mapping[str, Any], sort_frames: bool) -> Video:
    """Raises KeyError, TypeError, AttributeError or ValueError for another form."""
    frames = [_name(frame) for frame in fields["frames"]]
    if not frames or len(set(frames)) != len(frames):
        raise ValueError(f"video {name!r} has no frames, or one of them twice")
    stored = sorted(range(len(frames)), key=frames.__getitem__) if sort_frames else list(range(len(frames)))
    given = fields["expressions"]
    each = given.items() if isinstance(given, dict) else ((said["exp_id"], said) for said in given)  # a list in ReasonVOS
    said = [_said(str(key), expression) for key, expression in each]
    if not said:
        raise ValueError(f"video {name!r} has no expressions")
    return Video(_name(name, folders=True), [frames[place] for place in stored], stored, said, fields)


def _said(key: str, fields: Mapping[str, Any]) -> Said:
    text = fields["exp"] if "exp" in fields else fields["exp_text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expression {key!r} has no words")
    return Said(_name(key), text, fields)


def _name(name: str, *, folders: bool = False) -> str:
    """The name, if it is a plain one, or a path of plain ones."""
    parts = name.split("/") if folders else [name]
    if any(part in ("", ".", "..") or not part.isprintable() or "/" in part or "\\" in part for part in parts):
        raise ValueError(f"{name!r} is no name")
    return name
