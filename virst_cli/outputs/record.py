"""The record of a run, `<stem>.virst/`, read: what was asked and what came out (run.json), every mask (masks.jsonl).

A folder with a run.json is a finished run; `record_writer.py` gives it that name last. Reading is strict: what the
record says is complete and fits together, or it is an error in one line.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from virst_cli.errors import OutputError
from virst_cli.files.atomic import partial, writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs import request_key as manifests
from virst_cli.outputs.masks_jsonl import RecordHeader, RecordRow
from virst_cli.outputs.request_key import SCHEMA_VERSION

RUN_FILE = "run.json"
MASKS_FILE = "masks.jsonl"
SEGMENT_AGAIN = "run virst segment again with --overwrite"


class Record:
    """A finished run. Iterate for its frames; `len()` says how many.

    run: run.json as a dict; size: (H, W) as displayed; sentences: in the order of the masks.
    """

    def __init__(self, folder: Path, run: dict[str, Any], header: RecordHeader) -> None:
        self.folder = folder
        self.run = run
        self.size = header.size
        self.sentences = header.sentences
        self._header = header

    @classmethod
    def open(cls, folder: Path) -> "Record":
        """Reads run.json and the first line of masks.jsonl. Raises `OutputError`."""
        run = _read_run(folder)
        masks = folder / MASKS_FILE
        try:
            with masks.open("rb") as file:
                header = RecordHeader.from_line(file.readline())
        except OSError as error:
            raise OutputError(f"{shown(masks)}: can't be read ({error.strerror}); {SEGMENT_AGAIN}") from error
        except OutputError as error:
            raise OutputError(f"{shown(masks)}: line 1 is damaged ({error}); {SEGMENT_AGAIN}") from None
        if run.get("sentences") != list(header.sentences) or type(run.get("frames")) is not int:
            raise OutputError(f"{shown(folder)}: {RUN_FILE} and {MASKS_FILE} are not of one run; {SEGMENT_AGAIN}")
        return cls(folder, run, header)

    @classmethod
    def find(cls, folder: Path, manifest: Mapping[str, Any]) -> "Record | None":
        """The finished record of just this request, if it is here: then `--resume` has nothing left to do."""
        if looks_complete(folder):
            with suppress(OutputError), Lock(folder):  # whoever holds the lock is about to finish it
                complete(folder)
        if not (folder / RUN_FILE).exists():
            return None
        record = cls.open(folder)
        return record if record.run.get("key") == manifests.request_key(manifest) else None

    @staticmethod
    def newest(folder: Path) -> Path:
        """The run folder in `folder` that was finished last. Raises `OutputError` when there is none."""
        runs = [run for run in folder.glob("*.virst/" + RUN_FILE) if run.is_file()]
        if not runs:
            raise OutputError(f"{shown(folder)}: no finished run (*.virst) here; name one, or run virst segment first")
        return max(runs, key=lambda run: run.stat().st_mtime_ns).parent

    def __len__(self) -> int:
        return int(self.run["frames"])

    def __iter__(self) -> Iterator[RecordRow]:
        """The frames in order. Raises `OutputError` at the first line that is not as it was written."""
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
            raise OutputError(f"{shown(masks)}: {count} frames of {len(self)} are here; {SEGMENT_AGAIN}")


def looks_complete(folder: Path) -> bool:
    """Whether a run was killed at its very end: masks.jsonl has its name, and run.json only lacked its own."""
    if (folder / RUN_FILE).exists() or partial(folder / MASKS_FILE).exists() or not (folder / MASKS_FILE).exists():
        return False
    try:
        return "frames" in json.loads(partial(folder / RUN_FILE).read_bytes())  # written only once all masks are on disk
    except (OSError, ValueError, TypeError):
        return False


def complete(folder: Path) -> None:
    """Does the last rename that such a run lacked. The caller holds the lock."""
    if looks_complete(folder):
        with writing(folder):
            partial(folder / RUN_FILE).replace(folder / RUN_FILE)


def _read_run(folder: Path) -> dict[str, Any]:
    """run.json, of a version that we read."""
    path = folder / RUN_FILE
    try:
        run = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if partial(path).exists():
            how = "go on with virst segment and --resume"
            raise OutputError(f"{shown(folder)}: this run is not finished; {how}") from None
        raise OutputError(f"{shown(folder)}: no run folder of virst (it has no {RUN_FILE})") from None
    except OSError as error:
        raise OutputError(f"{shown(path)}: can't be read ({error.strerror})") from error
    except (ValueError, RecursionError):
        raise OutputError(f"{shown(path)}: damaged, it is no JSON; {SEGMENT_AGAIN}") from None
    version = run.get("schema_version") if isinstance(run, dict) else None
    if version != SCHEMA_VERSION:
        raise OutputError(f"{shown(path)}: schema version {version!r}, this virst reads {SCHEMA_VERSION}; update virst")
    return dict(run)
