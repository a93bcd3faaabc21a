"""One run of `virst segment`: frames go from the segmenter into the record and its renderings, in one pass.

A run that is interrupted goes on at the end of its last finished chunk. The pictures of the frames before are made again
from the record, so that all files are those of an uninterrupted run.
"""

import platform
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from virst_cli.errors import OutputError
from virst_cli.files.atomic import remove
from virst_cli.files.lock import Lock
from virst_cli.machine import memory, out_of_memory
from virst_cli.outputs.record import Record
from virst_cli.outputs.record_writer import RecordWriter
from virst_cli.outputs.renderings import FORMATS, Renderings, planned, render
from virst_cli.runs import resume_state
from virst_cli.runs.job import Job
from virst_cli.segmenter.load import load
from virst_cli.segmenter.segmenter import Frames, Segmenter
from virst_cli.stages import OnProgress
from virst_cli.version import __version__


@dataclass(frozen=True)
class Result:
    """What a run left. run: run.json as a dict; warning: why frames are missing, if some are."""

    record: Record
    files: tuple[Path, ...]
    warning: str | None

    @property
    def found(self) -> list[bool]:
        """Whether something was found, for every sentence."""
        return list(self.record.run["found"])


class Run:
    """A job with its model opened; `segment` does it."""

    def __init__(
        self, job: Job, report: OnProgress = lambda stage, done, total: None, *, segmenter: Segmenter | None = None
    ) -> None:
        """report: called with stage ("look", "anchor", "reason", "track", "write"), how much is done, and of how much.

        segmenter: the job's model, where it is open already.
        """
        request = job.request
        self.job = job
        self.clock = _Clock(report)
        self.segmenter = segmenter or load(
            job.model, device=request.device, dtype=request.dtype, chunk=request.chunk, faithful=request.faithful,
            max_memory=request.max_memory, many=False,
        )  # fmt: skip
        self.manifest = {
            **job.manifest(model=self.segmenter.name, device=self.device, dtype=self.dtype, chunk=self.segmenter.chunk),
            "versions": {"virst": __version__, "torch": torch.__version__, "python": platform.python_version()},
        }

    @property
    def device(self) -> str:
        """`cpu`, or the accelerator with its product name: another one rounds differently, and its masks may differ."""
        device = self.segmenter.parts.device
        return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type

    @property
    def dtype(self) -> str:
        """The precision of the model's numbers."""
        return str(self.segmenter.parts.dtype).removeprefix("torch.")

    def segment(self, *, overwrite: bool = False, resume: bool = False) -> Result:
        """Does the job. Raises OutputError where a run stands that neither flag allows to touch."""
        job = self.job
        if resume and not overwrite and (finished := Record.find(job.folder, self.manifest)):
            return self._render_missing(finished)
        before = _pictures_of(job.folder)
        with RecordWriter.open(job.folder, self.manifest, overwrite=overwrite, resume=resume) as record:
            going_on = self._state(record)
            frames = Frames(job.request.video, job.request.start, job.request.end)
            with self._renderings(job.formats) as renderings:
                self._go_on(record, renderings, frames)
                self._track(record, renderings, frames, going_on)
                pictures = self._close(renderings)
            result = {
                "expected_frames": job.expected_frames,
                "warning": frames.broken,
                "timings": self.clock.seconds,
                "peak_memory_bytes": memory.peak_bytes(),
                "files": [path.name for path in job.files],
            }
            resume_state.delete_state(job.folder)
            written = record.finish(result)
        for stale in before - set(pictures):  # of an older run, whose record is gone
            remove(stale)
        return Result(Record.open(job.folder), (*pictures, *written), frames.broken)

    def _state(self, record: RecordWriter) -> dict[str, torch.Tensor] | None:
        """What an interrupted run remembered; the record is cut to the frames from which it can go on."""
        kept = resume_state.load_state(self.job.folder, record.key)
        if kept is not None and int(kept["next"]) <= record.frames_done:
            record.keep(int(kept["next"]))
            return kept
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
            audio=request.video,
            start=request.start,
            end=request.end,
        )

    def _go_on(self, record: RecordWriter, renderings: Renderings, frames: Frames) -> None:
        """Renders again what an interrupted run had recorded."""
        if record.frames_done:
            render(record.rows(), islice(frames, record.frames_done), renderings)

    def _track(
        self, record: RecordWriter, renderings: Renderings, frames: Frames, going_on: dict[str, torch.Tensor] | None
    ) -> None:
        def keep(done: int, tensors: dict[str, torch.Tensor]) -> None:
            record.sync()  # the frames first: a state must never be ahead of its record
            resume_state.save_state(self.job.folder, record.key, tensors)

        answers = self.segmenter.stream(
            frames,
            self.job.request.sentences,
            expected=self.job.expected_frames,
            report=self.clock,
            state=going_on,
            keep_state=keep,
        )
        try:
            with closing(answers):  # type: ignore[type-var]  # a generator, which is closed to end its ffmpeg
                for answer in answers:
                    with self.clock.writing():
                        record.append(answer.index, answer.time, answer.masks, answer.scores.tolist())
                        renderings.write(answer.index, answer.time, answer.rgb, answer.masks)
        except Exception as error:
            if out_of_memory.is_out_of_memory(error):  # while a frame was decoded or written; the segmenter names its own stages
                raise out_of_memory.out_of_memory(self.clock.stage) from error
            raise

    def _close(self, renderings: Renderings) -> list[Path]:
        self.clock("write", 0, 1)
        with self.clock.writing():
            pictures = renderings.close()
        self.clock("write", 1, 1)
        return pictures

    def _render_missing(self, record: Record) -> Result:
        """A finished run of just this request: only pictures that are not there yet are made, from its record."""
        job, request = self.job, self.job.request
        missing = [f for f in job.formats if not all(path.exists() for path in planned(job.folder, record.sentences, [f]))]
        if missing:
            with Lock(job.folder), self._renderings(missing) as renderings:
                render(record, Frames(request.video, request.start, request.end), renderings)
        return Result(record, tuple(job.files), record.run.get("warning"))


class _Clock:
    """Passes the progress on, and adds up how many seconds each stage takes."""

    def __init__(self, report: OnProgress) -> None:
        self.seconds = {"look": 0.0, "anchor": 0.0, "reason": 0.0, "track": 0.0, "write": 0.0}
        self.stage = "look"  # that was under way last
        self._report = report
        self._last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """A stage came on; the time since the last call was spent in it."""
        self._spent(stage)
        self.stage = stage
        self._report(stage, done, total)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Writing happens in the middle of tracking, and is counted apart."""
        self._spent("track")
        self.stage = "write"
        yield
        self.stage = "track"
        self._spent("write")

    def _spent(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] += now - self._last
        self._last = now


def _pictures_of(folder: Path) -> set[Path]:
    """Whatever a finished run that stands in the folder may have rendered there."""
    try:
        return set(planned(folder, Record.open(folder).sentences, list(FORMATS)))
    except OutputError:
        return set()
