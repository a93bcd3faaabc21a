"""Writes the record of a run frame by frame, so that being killed costs at most one frame and never an old result.

During the run its files are masks.jsonl.partial and run.json.partial. At the end they get their names, masks.jsonl first and
run.json last. The key in run.json.partial tells which request the frames belong to, so they are never reused for another
sentence, model or setting.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from virst_cli.errors import OutputError
from virst_cli.files.atomic import flush, partial, sync_folder, write_text, writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs.arrays import Mask, Masks
from virst_cli.outputs.masks_jsonl import RecordHeader, RecordRow
from virst_cli.outputs.record import MASKS_FILE, RUN_FILE, complete
from virst_cli.outputs.request_key import SCHEMA_VERSION, request_key, run_json


class RecordWriter:
    """Writes a run. If its `with` block ends without `finish`, the frames so far are kept for `--resume`."""

    def __init__(self, folder: Path, request: Mapping[str, Any], lock: Lock, *, resume: bool) -> None:
        """Called by `open`, which takes the lock. resume: continue the unfinished run in the folder."""
        self.folder = folder
        self._lock = lock
        self.key = request_key(request)
        self._run = {"schema_version": SCHEMA_VERSION, "key": self.key, **request}
        height, width = request["video"]["size"]
        self._header = RecordHeader((height, width), tuple(request["sentences"]))
        self._path = partial(folder / MASKS_FILE)
        self._ends: list[int] = []  # offsets in bytes at which the header and then the lines of the frames end
        # the number of frames after which each sentence was first found
        self._first_found: list[int | None] = [None] * len(self._header.sentences)
        if resume:
            self._read_back()
        with writing(self._path):
            if not self._ends:
                self._start()
            self._file = self._path.open("r+b")
            self._file.truncate(self._ends[-1])  # removes an incomplete last line
            self._file.seek(self._ends[-1])

    @classmethod
    def open(cls, folder: Path, request: Mapping[str, Any], *, overwrite: bool, resume: bool) -> "RecordWriter":
        """Starts a run, or continues an unfinished one (then `frames_done` is above 0).

        folder: the run folder, which is created.
        request: as in `request_key.py`.
        overwrite: replace the run in the folder; with `resume` too, only if it is finished or of another request.
        resume: continue an unfinished run of the same request.

        Raises `OutputError` if the folder holds a run that may not be replaced, is in use by another process, or can't be
        written.
        """
        key = request_key(request)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder)
        try:
            complete(folder)
            continues = _continues(folder, key, overwrite=overwrite, resume=resume)
            return cls(folder, request, lock, resume=continues)
        except BaseException:
            lock.close()
            raise

    @property
    def frames_done(self) -> int:
        """Number of frames that the record holds, including those of an interrupted run that is continued."""
        return len(self._ends) - 1

    def keep(self, frames: int) -> None:
        """Drops all but the first `frames` frames, for a caller that can continue only from certain frames.

        Raises `ValueError` if the record holds fewer.
        """
        if not 0 <= frames <= self.frames_done:
            raise ValueError(f"the record holds {self.frames_done} frames, so {frames} can't be kept")
        del self._ends[frames + 1 :]
        self._first_found = [None if seen is None or seen > frames else seen for seen in self._first_found]
        with writing(self._path):
            self._file.truncate(self._ends[-1])
            self._file.seek(self._ends[-1])

    def rows(self) -> Iterator[RecordRow]:
        """Reads back the frames so far, so that they can be rendered again."""
        with self._path.open("rb") as file:
            file.readline()
            for index in range(self.frames_done):
                yield self._header.row_from_line(file.readline(), index)

    def append(self, index: int, time: float, masks: Sequence[Mask] | Masks, scores: Sequence[float]) -> None:
        """Adds the next frame.

        index: of the frame, from 0, without gaps.
        time: in seconds.
        masks: n of shape (H, W) bool, at display size.
        scores: n object scores.

        Raises `ValueError` if the arguments do not fit the record, `OutputError` or `DiskFull` if they can't be written.
        """
        if index != self.frames_done:
            raise ValueError(f"got frame {index}, but frame {self.frames_done} comes next")
        line = self._header.row_to_line(index, time, masks, scores)
        with writing(self._path):
            self._file.write(line)
            self._file.flush()  # to the operating system, so that being killed costs at most this frame
        self._count(len(line), [bool(mask.any()) for mask in masks])

    def sync(self) -> None:
        """Flushes the frames so far to the disk, so that they survive a power cut."""
        with writing(self._path):
            flush(self._file)

    def finish(self, result: Mapping[str, Any]) -> list[Path]:
        """Gives the two files of the record their names and returns them.

        result: what to add to run.json, such as timings and files, besides `frames` and `found` (one bool per sentence), which
            are added here.
        """
        found = [seen is not None for seen in self._first_found]
        run = {**self._run, "frames": self.frames_done, "found": found, **result}
        run_path, masks_path = self.folder / RUN_FILE, self.folder / MASKS_FILE
        with writing(masks_path):
            self.sync()  # before run.json.partial says that all masks are on disk
            self._file.close()
            write_text(partial(run_path), run_json(run))  # from here on `complete` can finish the run
            run_path.unlink(missing_ok=True)  # an old run.json must never be beside new masks
            self._path.replace(masks_path)  # both files are on the disk already
            partial(run_path).replace(run_path)
            sync_folder(self.folder)
        self._lock.close()
        return [masks_path, run_path]

    def abandon(self) -> None:
        """Stops the run and keeps its frames for `--resume`; if it has none, deletes its files. Does nothing after `finish`."""
        finished = self._file.closed
        with suppress(OSError):  # a full disk was reported already
            self._file.close()
        if not finished and not self.frames_done:
            for path in (partial(self.folder / RUN_FILE), self._path):
                path.unlink(missing_ok=True)
        self._lock.close()
        with suppress(OSError):  # it is usually not empty
            self.folder.rmdir()

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.abandon()

    def _start(self) -> None:
        """Starts a new run. The old key is deleted first, so that a key is never beside the masks of another request."""
        partial(self.folder / RUN_FILE).unlink(missing_ok=True)
        line = self._header.to_line()
        self._path.write_bytes(line)
        write_text(partial(self.folder / RUN_FILE), run_json(self._run))
        self._ends = [len(line)]

    def _read_back(self) -> None:
        """Counts the frames of an interrupted run, up to the first line that is damaged or incomplete."""
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
            return  # no file, or damage: the lines before it are good

    def _count(self, size: int, found: Sequence[bool]) -> None:
        """Counts a frame. size: of its line, in bytes; found: which sentences were found in it."""
        self._ends.append(self._ends[-1] + size)
        self._first_found = [
            self.frames_done if seen is None and now else seen for seen, now in zip(self._first_found, found, strict=True)
        ]


def _continues(folder: Path, key: str, *, overwrite: bool, resume: bool) -> bool:
    """Whether to continue the run in a folder, and not start a new one. Raises `OutputError` if neither is allowed."""
    unfinished = _unfinished_key(folder)
    if resume and unfinished == key:
        return True
    if overwrite:
        return False
    if (folder / RUN_FILE).exists():
        how = "--overwrite replaces it (--resume continues unfinished runs only)"
        raise OutputError(f"{shown(folder)} holds a finished run; {how}")
    if unfinished is None:
        return False
    if unfinished == key:
        which = "of this request; --resume continues it, --overwrite starts again"
    else:
        which = "of another video, sentence, model or setting; --overwrite replaces it, -o chooses another folder"
    raise OutputError(f"{shown(folder)} holds an unfinished run {which}")


def _unfinished_key(folder: Path) -> str | None:
    """The key of the unfinished run in a folder; None if there is no such run, empty if its key can't be read."""
    try:
        return str(json.loads(partial(folder / RUN_FILE).read_bytes())["key"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""
