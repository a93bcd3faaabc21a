"""Writes the record of a run, frame by frame, so that a kill at any moment costs one frame and never an old result.

While the run goes on its files are masks.jsonl.partial and run.json.partial. At the end they take their names, masks
first, run.json last. The key in run.json.partial says whose frames they are: another sentence, model or setting never
reuses them.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from virst_cli.errors import OutputError
from virst_cli.files.atomic import partial, sync_folder, write_text, writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs import request_key as manifests
from virst_cli.outputs.masks_jsonl import Masks, RecordHeader, RecordRow
from virst_cli.outputs.record import MASKS_FILE, RUN_FILE, complete
from virst_cli.outputs.request_key import SCHEMA_VERSION


class RecordWriter:
    """A run being written. Leaving its `with` block without `finish` keeps the work for `--resume`."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], lock: Lock, *, go_on: bool) -> None:
        self.folder = folder
        self._lock = lock
        self.key = manifests.request_key(manifest)
        self._run = {"schema_version": SCHEMA_VERSION, "key": self.key, **manifest}
        height, width = manifest["video"]["size"]
        self._header = RecordHeader((height, width), tuple(manifest["sentences"]))
        self._path = partial(folder / MASKS_FILE)
        self._ends: list[int] = []  # where the first line, then each frame's line, ends in the file, in bytes
        self._seen: list[int | None] = [None] * len(self._header.sentences)  # after how many frames each was first found
        if go_on:
            self._read_back()
        with writing(self._path):
            if not self._ends:
                self._start()
            self._file = self._path.open("r+b")
            self._file.truncate(self._ends[-1])  # a last line that breaks off goes
            self._file.seek(self._ends[-1])

    @classmethod
    def open(cls, folder: Path, manifest: Mapping[str, Any], *, overwrite: bool, resume: bool) -> "RecordWriter":
        """Begins a run, or goes on with one (then `frames_done` is above 0).

        manifest: see `manifest.py`. Raises `OutputError` where a run stands that no flag allows to touch.
        With both flags, an unfinished run of the same key goes on and any other is replaced.
        """
        key = manifests.request_key(manifest)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder)
        try:
            complete(folder)
            go_on = _goes_on(folder, key, overwrite=overwrite, resume=resume)
            return cls(folder, manifest, lock, go_on=go_on)
        except BaseException:
            lock.close()
            raise

    @property
    def frames_done(self) -> int:
        """How many frames the record holds by now, those of an interrupted run included."""
        return len(self._ends) - 1

    def keep(self, frames: int) -> None:
        """Forgets all but the first `frames` frames, for a caller that can go on from certain frames only."""
        if not 0 <= frames <= self.frames_done:
            raise ValueError(f"{self.frames_done} frames are here, {frames} can't be kept")
        del self._ends[frames + 1 :]
        self._seen = [None if seen is None or seen > frames else seen for seen in self._seen]
        with writing(self._path):
            self._file.truncate(self._ends[-1])
            self._file.seek(self._ends[-1])

    def rows(self) -> Iterator[RecordRow]:
        """The frames so far, read back, so that their pictures can be made again."""
        with self._path.open("rb") as file:
            file.readline()
            for index in range(self.frames_done):
                yield self._header.row_from_line(file.readline(), index)

    def append(self, index: int, time: float, masks: Sequence[Masks] | Masks, scores: Sequence[float]) -> None:
        """Adds the next frame.

        index: from 0, without gaps; time: seconds; masks: n of (H, W) bool at display size; scores: n object scores.
        """
        if index != self.frames_done:
            raise ValueError(f"frame {index} was given where {self.frames_done} comes next")
        line = self._header.row_to_line(index, time, masks, scores)
        with writing(self._path):
            self._file.write(line)
            self._file.flush()  # to the system, so that a kill costs this frame at most
        self._count(len(line), [bool(mask.any()) for mask in masks])

    def sync(self) -> None:
        """Brings the frames so far to the disk itself, so that they outlast a power cut."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    def finish(self, result: Mapping[str, Any]) -> list[Path]:
        """Gives the record its names, and adds `result` (timings, files ...) to run.json. Returns the two files.

        `frames` and `found` (one bool a sentence) are added by the record, which knows.
        """
        found = [seen is not None for seen in self._seen]
        run = {**self._run, "frames": self.frames_done, "found": found, **result}
        run_path, masks_path = self.folder / RUN_FILE, self.folder / MASKS_FILE
        with writing(masks_path):
            os.fsync(self._file.fileno())
            self._file.close()
            write_text(partial(run_path), manifests.run_json(run))  # from here on the run can be finished without us
            run_path.unlink(missing_ok=True)  # an old run.json must not stand beside new masks, not for a moment
            self._path.replace(masks_path)
            partial(run_path).replace(run_path)
            sync_folder(self.folder)
        self._lock.close()
        return [masks_path, run_path]

    def abandon(self) -> None:
        """Stops here; what is done stays for `--resume`, and where nothing was done nothing stays. Nothing after `finish`."""
        finished = self._file.closed
        with suppress(OSError):  # a full disk said so already
            self._file.close()
        if not finished and not self.frames_done:
            for path in (partial(self.folder / RUN_FILE), self._path):
                path.unlink(missing_ok=True)
        self._lock.close()
        with suppress(OSError):  # not empty, as a rule
            self.folder.rmdir()

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.abandon()

    def _start(self) -> None:
        """Begins anew. The old key goes first: it must never stand over new masks, nor a new one over old masks."""
        partial(self.folder / RUN_FILE).unlink(missing_ok=True)
        line = self._header.to_line()
        self._path.write_bytes(line)
        write_text(partial(self.folder / RUN_FILE), manifests.run_json(self._run))
        self._ends = [len(line)]

    def _read_back(self) -> None:
        """Notes the frames that an interrupted run left, up to the first line that is not whole."""
        try:
            with self._path.open("rb") as file:
                line = file.readline()
                if RecordHeader.from_line(line) != self._header:
                    return
                self._ends = [len(line)]
                for line in file:
                    row = self._header.row_from_line(line, self.frames_done)
                    self._count(len(line), [bool(mask.any()) for mask in row.masks])
        except (OSError, OutputError):
            return  # nothing there, or damage: what was read until here is good

    def _count(self, size: int, found: Sequence[bool]) -> None:
        """Notes one more frame: its line's size in bytes, and which sentences were found in it."""
        self._ends.append(self._ends[-1] + size)
        self._seen = [self.frames_done if seen is None and now else seen for seen, now in zip(self._seen, found, strict=True)]


def _goes_on(folder: Path, key: str, *, overwrite: bool, resume: bool) -> bool:
    """Whether the run in a folder goes on (True) or begins anew (False). Raises `OutputError` where neither may be."""
    unfinished = _unfinished_key(folder)
    if resume and unfinished == key:
        return True
    if overwrite:
        return False
    if (folder / RUN_FILE).exists():
        why = "--overwrite replaces it (--resume only goes on with unfinished ones)"
        raise OutputError(f"{shown(folder)} holds a finished run; {why}")
    if unfinished is None:
        return False
    if unfinished == key:
        why = "of this request; --resume goes on with it, --overwrite begins anew"
    else:
        why = "of another video, sentence, model or setting; --overwrite begins anew, -o chooses another folder"
    raise OutputError(f"{shown(folder)} holds an unfinished run {why}")


def _unfinished_key(folder: Path) -> str | None:
    """The key of the unfinished run in a folder: None where there is no such run, empty where it can't be read."""
    try:
        return str(json.loads(partial(folder / RUN_FILE).read_bytes())["key"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""
