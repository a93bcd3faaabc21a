"""Reads the record of a finished run: the request and its results (run.json), and all masks (masks.jsonl).

A run folder with a run.json holds a finished run, because `record_writer.py` gives that file its name last. Reading is strict: a
record that is incomplete or contradicts itself is an error.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from virst_cli.errors import OutputError
from virst_cli.files.atomic import commit, partial, writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs.masks_jsonl import RecordHeader, RecordRow
from virst_cli.outputs.request_key import SCHEMA_VERSION, request_key

RUN_FILE = "run.json"
MASKS_FILE = "masks.jsonl"
SEGMENT_AGAIN = "run virst segment again with --overwrite"


class Record:
    """A finished run. Iterating yields its frames; `len()` is their number.

    folder: the run folder.
    run: run.json as a dict.
    size: (H, W) of the masks, the display size of the video.
    sentences: in the order of the masks.
    """

    def __init__(self, folder: Path, run: dict[str, Any], header: RecordHeader) -> None:
        self.folder = folder
        self.run = run
        self.size = header.size
        self.sentences = header.sentences
        self._header = header

    @classmethod
    def open(cls, folder: Path) -> "Record":
        """Reads run.json and the first line of masks.jsonl. Raises `OutputError` if there is no finished run or it is damaged."""
        run = _read_run(folder)
        masks = folder / MASKS_FILE
        try:
            with masks.open("rb") as file:
                header = RecordHeader.from_line(file.readline())
        except OSError as error:
            raise OutputError(f"{shown(masks)} can't be read ({error.strerror}); {SEGMENT_AGAIN}") from error
        except OutputError as error:
            raise OutputError(f"{shown(masks)}: line 1 is damaged ({error}); {SEGMENT_AGAIN}") from None
        if run.get("sentences") != list(header.sentences) or type(run.get("frames")) is not int:
            raise OutputError(f"{shown(folder)}: {RUN_FILE} and {MASKS_FILE} belong to different runs; {SEGMENT_AGAIN}")
        return cls(folder, run, header)

    @classmethod
    def find(cls, folder: Path, request: Mapping[str, Any]) -> "Record | None":
        """The finished run of this request in a folder; None if there is no finished run, or one of another request."""
        if looks_complete(folder):
            with suppress(OutputError), Lock(folder):  # a process that holds the lock is about to finish the run
                complete(folder)
        if not (folder / RUN_FILE).exists():
            return None
        record = cls.open(folder)
        return record if record.run.get("key") == request_key(request) else None

    @staticmethod
    def newest(folder: Path) -> Path:
        """The run folder in `folder` that was finished last. Raises `OutputError` if there is none."""
        runs = [run for run in folder.glob("*.virst/" + RUN_FILE) if run.is_file()]
        if not runs:
            raise OutputError(f"{shown(folder)} holds no finished run (*.virst); name a run folder, or run virst segment first")
        return max(runs, key=lambda run: run.stat().st_mtime_ns).parent

    def __len__(self) -> int:
        return int(self.run["frames"])

    def __iter__(self) -> Iterator[RecordRow]:
        """The frames in order. Raises `OutputError` at the first damaged line."""
        masks = self.folder / MASKS_FILE
        with masks.open("rb") as file:
            file.readline()
            count = 0
            for line in file:
                try:
                    row = self._header.row_from_line(line, count)
                except OutputError as error:
                    raise OutputError(f"{shown(masks)}: line {count + 2} is damaged ({error}); {SEGMENT_AGAIN}") from None
                count += 1
                yield row
        if count != len(self):
            raise OutputError(f"{shown(masks)} holds {count} of {len(self)} frames; {SEGMENT_AGAIN}")


def looks_complete(folder: Path) -> bool:
    """Whether a run was killed right before its last step: all that is missing is the rename of run.json.partial."""
    if (folder / RUN_FILE).exists() or partial(folder / MASKS_FILE).exists() or not (folder / MASKS_FILE).exists():
        return False
    try:
        return "frames" in json.loads(partial(folder / RUN_FILE).read_bytes())  # added once all masks are on disk
    except (OSError, ValueError, TypeError):
        return False


def complete(folder: Path) -> None:
    """Finishes a run for which `looks_complete` is true. The caller holds the lock."""
    if looks_complete(folder):
        with writing(folder):
            commit(partial(folder / RUN_FILE), folder / RUN_FILE)


def _read_run(folder: Path) -> dict[str, Any]:
    """Reads run.json. Raises `OutputError` if it is missing, damaged or of another schema version."""
    path = folder / RUN_FILE
    try:
        run = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if partial(path).exists():
            raise OutputError(f"{shown(folder)} holds an unfinished run; continue it with virst segment --resume") from None
        raise OutputError(f"{shown(folder)} is not a run folder: it has no {RUN_FILE}; run virst segment first") from None
    except OSError as error:
        raise OutputError(f"{shown(path)} can't be read ({error.strerror})") from error
    except (ValueError, RecursionError):
        raise OutputError(f"{shown(path)} is damaged (it is not valid JSON); {SEGMENT_AGAIN}") from None
    version = run.get("schema_version") if isinstance(run, dict) else None
    if version != SCHEMA_VERSION:
        raise OutputError(f"{shown(path)} has schema version {version!r}, but this virst reads {SCHEMA_VERSION}; update virst")
    return dict(run)
