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
from virst_cli.outputs import manifest as manifests
from virst_cli.outputs.files import partial, writing
from virst_cli.outputs.lock import Lock
from virst_cli.outputs.manifest import SCHEMA_VERSION
from virst_cli.outputs.rows import Header, Row
from virst_cli.video.source import shown

RUN = "run.json"
MASKS = "masks.jsonl"
AGAIN = "run virst segment again with --overwrite"


class Record:
    """A finished run. Iterate for its frames; `len()` says how many.

    run: run.json as a dict; size: (H, W) as displayed; sentences: in the order of the masks.
    """

    def __init__(self, folder: Path, run: dict[str, Any], header: Header) -> None:
        self.folder = folder
        self.run = run
        self.size = header.size
        self.sentences = header.sentences
        self._header = header

    @classmethod
    def open(cls, folder: Path) -> "Record":
        """Reads run.json and the first line of masks.jsonl. Raises `OutputError`."""
        run = _read_run(folder)
        masks = folder / MASKS
        try:
            with masks.open("rb") as file:
                header = Header.from_line(file.readline())
        except OSError as error:
            raise OutputError(f"{shown(masks)}: can't be read ({error.strerror}); {AGAIN}") from error
        except OutputError as error:
            raise OutputError(f"{shown(masks)}: line 1 is damaged ({error}); {AGAIN}") from None
        if run.get("sentences") != list(header.sentences) or type(run.get("frames")) is not int:
            raise OutputError(f"{shown(folder)}: {RUN} and {MASKS} are not of one run; {AGAIN}")
        return cls(folder, run, header)

    @classmethod
    def find(cls, folder: Path, manifest: Mapping[str, Any]) -> "Record | None":
        """The finished record of just this request, if it is here: then `--resume` has nothing left to do."""
        if looks_complete(folder):
            with suppress(OutputError), Lock(folder):  # whoever holds the lock is about to finish it
                complete(folder)
        if not (folder / RUN).exists():
            return None
        record = cls.open(folder)
        return record if record.run.get("key") == manifests.key(manifest) else None

    @staticmethod
    def newest(folder: Path) -> Path:
        """The run folder in `folder` that was finished last. Raises `OutputError` when there is none."""
        runs = [run for run in folder.glob("*.virst/" + RUN) if run.is_file()]
        if not runs:
            raise OutputError(f"{shown(folder)}: no finished run (*.virst) here; name one, or run virst segment first")
        return max(runs, key=lambda run: run.stat().st_mtime_ns).parent

    def __len__(self) -> int:
        return int(self.run["frames"])

    def __iter__(self) -> Iterator[Row]:
        """The frames in order. Raises `OutputError` at the first line that is not as it was written."""
        masks = self.folder / MASKS
        with masks.open("rb") as file:
            file.readline()
            count = 0
            for line in file:
                try:
                    row = self._header.row_from_line(line, count)
                except OutputError as error:
                    raise OutputError(f"{shown(masks)}: line {count + 2} is damaged ({error}); {AGAIN}") from None
                count += 1
                yield row
        if count != len(self):
            raise OutputError(f"{shown(masks)}: {count} frames of {len(self)} are here; {AGAIN}")


def looks_complete(folder: Path) -> bool:
    """Whether a run was killed at its very end: masks.jsonl has its name, and run.json only lacked its own."""
    if (folder / RUN).exists() or partial(folder / MASKS).exists() or not (folder / MASKS).exists():
        return False
    try:
        return "frames" in json.loads(partial(folder / RUN).read_bytes())  # written only once all masks are on disk
    except (OSError, ValueError, TypeError):
        return False


def complete(folder: Path) -> None:
    """Does the last rename that such a run lacked. The caller holds the lock."""
    if looks_complete(folder):
        with writing(folder):
            partial(folder / RUN).replace(folder / RUN)


def _read_run(folder: Path) -> dict[str, Any]:
    """run.json, of a version that we read."""
    path = folder / RUN
    try:
        run = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if partial(path).exists():
            how = "go on with virst segment and --resume"
            raise OutputError(f"{shown(folder)}: this run is not finished; {how}") from None
        raise OutputError(f"{shown(folder)}: no run folder of virst (it has no {RUN})") from None
    except OSError as error:
        raise OutputError(f"{shown(path)}: can't be read ({error.strerror})") from error
    except (ValueError, RecursionError):
        raise OutputError(f"{shown(path)}: damaged, it is no JSON; {AGAIN}") from None
    version = run.get("schema_version") if isinstance(run, dict) else None
    if version != SCHEMA_VERSION:
        raise OutputError(f"{shown(path)}: schema version {version!r}, this virst reads {SCHEMA_VERSION}; update virst")
    return dict(run)
