"""Segments the videos of a batch one after another with a model that is opened once."""

import time
import traceback
from pathlib import Path

from virst_cli.batch.plan import BatchSettings, Task, VideoOutcome
from virst_cli.batch.skip_finished import skip_finished
from virst_cli.machine.out_of_memory import as_virst_error
from virst_cli.runs.job import Job, Request
from virst_cli.runs.run import Run, RunResult
from virst_cli.segmenter.load import load
from virst_cli.stages import OnProgress


class Worker:
    """A model that is open on a device and runs one task after another."""

    def __init__(self, model: str, settings: BatchSettings, working_folder: Path, device: str) -> None:
        """Opens the model. Raises what `load` raises.

        model: name or path of the model.
        working_folder: the folder at which relative paths start.
        device: as `--device` takes it.
        """
        self._model, self._settings, self._working_folder, self._device = model, settings, working_folder, device
        self._segmenter = load(
            model, device=device, dtype=settings.dtype, chunk=settings.chunk, faithful=settings.faithful,
            max_memory=settings.max_memory,
        )  # fmt: skip

    def __call__(self, task: Task, on_progress: OnProgress) -> VideoOutcome:
        """Segments one video. Never raises an `Exception`: an error becomes part of the outcome."""
        began = time.monotonic()
        try:
            folder = self._working_folder / task.folder
            result = self._segment(task, folder, on_progress)
        except Exception as error:
            seconds = time.monotonic() - began
            return VideoOutcome(task, seconds, error=str(as_virst_error(error)), trace=traceback.format_exc())
        return VideoOutcome(
            task,
            time.monotonic() - began,
            run=result.record.run,
            files=tuple(task.folder / path.relative_to(folder) for path in result.files),
            error=result.warning if self._settings.strict else None,
        )

    def _segment(self, task: Task, folder: Path, on_progress: OnProgress) -> RunResult:
        settings = self._settings
        request = Request(
            task.video, task.sentences, folder=folder, formats=settings.formats, model=self._model, device=self._device,
            dtype=settings.dtype, chunk=settings.chunk, faithful=settings.faithful,
        )  # fmt: skip
        run = Run(Job(request, self._segmenter.prompt_builder), on_progress, segmenter=self._segmenter)
        if settings.overwrite:
            return run.segment(overwrite=True)
        return skip_finished(run) or run.segment(resume=True)
