"""What does the tasks of a batch: a model that is opened once, and then one run a video."""

import time
import traceback
from pathlib import Path

from virst_cli.batch.plan import Outcome, Settings, Task
from virst_cli.errors import OutputError
from virst_cli.files.shown import shown
from virst_cli.machine.out_of_memory import as_virst_error
from virst_cli.outputs.record import RUN_FILE, Record
from virst_cli.runs.job import Job, Request
from virst_cli.runs.run import Result, Run
from virst_cli.segmenter.load import load
from virst_cli.stages import OnProgress


class Worker:
    """An open model on a device, which does one task after the other."""

    def __init__(self, model: str, settings: Settings, here: Path, device: str) -> None:
        """here: the folder from which relative paths start. Raises what `load` raises."""
        self._model, self._settings, self._here, self._device = model, settings, here, device
        self._segmenter = load(
            model, device=device, dtype=settings.dtype, chunk=settings.chunk, faithful=settings.faithful,
            max_memory=settings.max_memory,
        )  # fmt: skip

    def __call__(self, task: Task, report: OnProgress) -> Outcome:
        """Never raises an `Exception`: whatever goes wrong is what became of the task."""
        began = time.monotonic()
        try:
            folder = self._here / task.folder
            result = self._segment(task, folder, report)
        except Exception as error:
            seconds = time.monotonic() - began
            return Outcome(task, seconds, error=str(as_virst_error(error)), trace=traceback.format_exc())
        return Outcome(
            task,
            time.monotonic() - began,
            run=result.record.run,
            files=tuple(task.folder / path.relative_to(folder) for path in result.files),
            error=result.warning if self._settings.strict else None,
        )

    def _segment(self, task: Task, folder: Path, report: OnProgress) -> Result:
        settings = self._settings
        request = Request(
            task.video, task.sentences, formats=settings.formats, model=self._model, device=self._device, dtype=settings.dtype,
            chunk=settings.chunk, faithful=settings.faithful,
        )  # fmt: skip
        job = Job(request)
        job.folder = folder  # not always that of the video's name: see `folders`
        run = Run(job, report, segmenter=self._segmenter)
        if not settings.overwrite:
            _refuse_another(run)
        return run.segment(overwrite=settings.overwrite, resume=not settings.overwrite)


def _refuse_another(run: Run) -> None:
    """Raises OutputError where a finished run of another request stands: --overwrite, alone, would do all videos anew."""
    folder = run.job.folder
    if Record.find(folder, run.manifest) is None and (folder / RUN_FILE).exists():
        what = "holds a finished run of another video, sentence, model or setting"
        how = "delete it, or choose another folder with -o (--overwrite does all videos anew)"
        raise OutputError(f"{shown(folder)} {what}; {how}")
