"""One run of `virst segment`: frames go from the segmenter into the record and its renderings, in one pass.

An interrupted run continues at the end of its last finished chunk. The frames before are rendered again from the record, so that
all files are the same as without the interruption.
"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from virst_cli.errors import OutputError
from virst_cli.files.atomic import remove
from virst_cli.files.lock import Lock
from virst_cli.machine import memory
from virst_cli.machine.out_of_memory import is_out_of_memory, out_of_memory
from virst_cli.outputs.record import Record
from virst_cli.outputs.record_writer import RecordWriter
from virst_cli.outputs.renderings import FORMATS, Renderings, planned, render
from virst_cli.runs import resume_state
from virst_cli.runs.job import Job
from virst_cli.segmenter.load import load
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.segmenter.tracking_pass import ResumeState
from virst_cli.stages import OnProgress, Stage, ignore_progress
from virst_cli.version import versions
from virst_cli.video.video import VideoRange


@dataclass(frozen=True)
class RunResult:
    """What a run has written."""

    record: Record
    files: tuple[Path, ...]
    warning: str | None  # why frames are missing, if some are

    @property
    def found(self) -> list[bool]:
        """Whether something was found, for each sentence."""
        return list(self.record.run["found"])


class Run:
    """A job with an open model."""

    def __init__(self, job: Job, on_progress: OnProgress = ignore_progress, *, segmenter: Segmenter | None = None) -> None:
        """Opens the job's model.

        on_progress: called with a stage, how much of it is done, and how much there is.
        segmenter: the job's model, if it is open already.
        """
        request = job.request
        self.job = job
        self.timer = _StageTimer(on_progress)
        self.segmenter = segmenter or load(
            job.model, device=request.device, dtype=request.dtype, chunk=request.chunk, faithful=request.faithful,
            max_memory=request.max_memory, many=False,
        )  # fmt: skip
        self.recorded_request = {
            **job.recorded_request(),
            **self.segmenter.made_by(),
            "versions": versions(),
        }

    def finished(self) -> RunResult | None:
        """The result of an earlier run of this request, after making the renderings that it lacks; None if there is none."""
        job = self.job
        record = Record.find(job.folder, self.recorded_request)
        if record is None:
            return None
        missing = [f for f in job.formats if not all(path.exists() for path in planned(job.folder, record.sentences, [f]))]
        if missing:
            with Lock(job.folder), self._renderings(missing) as renderings:
                render(record, job.frames, renderings)
        return RunResult(record, tuple(job.files), record.run.get("warning"))

    def segment(self, *, overwrite: bool = False, resume: bool = False) -> RunResult:
        """Segments the video and writes the run folder.

        overwrite: replace an earlier run.
        resume: continue an interrupted run; of a finished one only missing renderings are made.
        Raises OutputError where neither option allows to touch what is there.
        """
        job = self.job
        if resume and not overwrite and (earlier := self.finished()) is not None:
            return earlier
        before = _pictures_of(job.folder)
        with RecordWriter.open(job.folder, self.recorded_request, overwrite=overwrite, resume=resume) as record:
            state = self._resume_state(record)
            with self._renderings(job.formats) as renderings:
                self._render_recorded(record, renderings, job.frames)
                self._segment(record, renderings, job.frames, state)
                pictures = self._close(renderings)
            result = {
                "expected_frames": job.expected_frames,
                "warning": job.frames.truncated,
                "timings": self.timer.seconds,
                "peak_memory_bytes": memory.peak_bytes(),
                "files": [path.name for path in job.files],
            }
            resume_state.delete_state(job.folder)
            written = record.finish(result)
        for stale in before - set(pictures):  # of an older run, whose record is gone
            remove(stale)
        return RunResult(Record.open(job.folder), (*pictures, *written), job.frames.truncated)

    def _resume_state(self, record: RecordWriter) -> ResumeState | None:
        """The state of an interrupted run; the record is cut to the frames before it. None to start from the first frame."""
        state = resume_state.load_state(self.job.folder, record.key)
        if state is not None and int(state["next"]) <= record.frames_done:
            record.keep(int(state["next"]))
            return state
        resume_state.delete_state(self.job.folder)
        record.keep(0)
        return None

    def _renderings(self, formats: list[str]) -> Renderings:
        request, info = self.job.request, self.job.info
        return Renderings(
            self.job.folder,
            request.sentences,
            formats=formats,
            size=(info.width, info.height),
            rate=info.rate,
            audio=self.job.video.audio(request.start, request.end),
            start=request.start,
        )

    def _render_recorded(self, record: RecordWriter, renderings: Renderings, frames: VideoRange) -> None:
        """Renders the frames again that an interrupted run had recorded."""
        if record.frames_done:
            render(record.rows(), islice(frames, record.frames_done), renderings)

    def _segment(self, record: RecordWriter, renderings: Renderings, frames: VideoRange, state: ResumeState | None) -> None:
        """Segments the frames that are not recorded yet. state: where to continue; None for the first frame."""

        def keep_state(done: int, tensors: ResumeState) -> None:
            record.sync()  # the frames first: a state must never be ahead of its record
            resume_state.save_state(self.job.folder, record.key, tensors)

        results = self.segmenter.stream(
            frames,
            self.job.request.sentences,
            expected=self.job.expected_frames,
            on_progress=self.timer,
            state=state,
            keep_state=keep_state,
        )
        try:
            with closing(results):  # type: ignore[type-var]  # a generator, which is closed to end its ffmpeg
                for result in results:
                    with self.timer.writing():
                        record.append(result.index, result.time, result.masks, result.scores.tolist())
                        renderings.write(result.index, result.time, result.rgb, result.masks)
        except Exception as error:
            if is_out_of_memory(error):  # while a frame was decoded or written; the segmenter names its own stages
                raise out_of_memory(self.timer.stage) from error
            raise

    def _close(self, renderings: Renderings) -> list[Path]:
        self.timer(Stage.WRITE, 0, 1)
        with self.timer.writing():
            pictures = renderings.close()
        self.timer(Stage.WRITE, 1, 1)
        return pictures


class _StageTimer:
    """Adds up the seconds of each stage from the reports of progress, which it passes on."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.seconds = {str(stage): 0.0 for stage in Stage}
        self.stage: str = Stage.LOOK  # that reported last
        self._on_progress = on_progress
        self._last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Reports progress; the time since the last call was spent in this stage."""
        self._add(stage)
        self.stage = stage
        self._on_progress(stage, done, total)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Frames are written between two steps of propagation; the time of the block counts as writing."""
        self._add(Stage.PROPAGATE)
        self.stage = Stage.WRITE
        yield
        self.stage = Stage.PROPAGATE
        self._add(Stage.WRITE)

    def _add(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] += now - self._last
        self._last = now


def _pictures_of(folder: Path) -> set[Path]:
    """All files that a finished run in this folder may have rendered."""
    try:
        return set(planned(folder, Record.open(folder).sentences, list(FORMATS)))
    except OutputError:
        return set()
