"""Plans a batch: turns a jobs file into one task per video, and checks all that can be checked before weights are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virst_cli.batch.jobs_file import JobRow, read_rows
from virst_cli.batch.run_folders import run_folders
from virst_cli.checkpoints.find import find_model, name_for_workers
from virst_cli.errors import SentenceError
from virst_cli.files.shown import shown
from virst_cli.model.prompt import PromptBuilder
from virst_cli.outputs.renderings import parse_formats


@dataclass(frozen=True)
class BatchSettings:
    """Settings that apply to all videos of a batch; see `virst_cli.runs.job.Request` for those not listed here.

    output: the folder in which the run folders are created.
    overwrite: segment every video again instead of continuing where an earlier batch stopped.
    strict: count a truncated video as failed.
    """

    output: Path = Path()
    formats: Sequence[str] = ("overlay",)
    model: str | None = None
    dtype: str = "auto"
    chunk: int | None = None
    faithful: bool = False
    max_memory: int | None = None
    overwrite: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Task:
    """One video and its sentences.

    name: the path of the video as it is written in the jobs file.
    video: its absolute path.
    folder: the run folder.
    """

    name: str
    video: Path
    sentences: tuple[str, ...]
    folder: Path

    @property
    def shown(self) -> str:
        """The name for a message of one line."""
        return shown(Path(self.name))


@dataclass(frozen=True)
class VideoOutcome:
    """The outcome of a task.

    seconds: how long the task took.
    run: run.json as a dict; None if the video was not segmented.
    files: the files that the run has left.
    error: why the task failed, in one line; None if it did not.
    trace: the traceback of the error, if there is one.
    """

    task: Task
    seconds: float = 0.0
    run: dict[str, Any] | None = None
    files: tuple[Path, ...] = ()
    error: str | None = None
    trace: str | None = None

    @property
    def found(self) -> list[bool]:
        """Whether something was found, for each sentence; all False if the video was not segmented."""
        return [False] * len(self.task.sentences) if self.run is None else list(self.run["found"])

    @property
    def frames(self) -> int:
        """Number of frames that were segmented."""
        return 0 if self.run is None else int(self.run["frames"])

    @property
    def warning(self) -> str | None:
        """Why frames are missing; None if none are."""
        return None if self.run is None else self.run.get("warning")


@dataclass(frozen=True)
class BatchPlan:
    """The tasks of a batch and what they need.

    model: name or absolute path of the model, which is valid in other working folders and on other machines too.
    unknown_words: words of the sentences that the model has never seen, each once.
    """

    tasks: tuple[Task, ...]
    settings: BatchSettings
    model: str
    unknown_words: tuple[str, ...]


def plan_batch(jobs: Path, settings: BatchSettings) -> BatchPlan:
    """Reads and checks a jobs file.

    Raises UsageError if the jobs file or a setting is wrong, SentenceError if a sentence can't be used, and WeightsError if the
    model is missing.
    """
    parse_formats(settings.formats)
    rows = read_rows(jobs)
    prompt_builder = PromptBuilder.from_file(find_model(settings.model) / "tokenizer.json")
    unknown: dict[str, None] = {}
    for row in rows:
        try:
            prompt_builder.normalise(row.text)
        except SentenceError as error:
            raise SentenceError(f"{shown(jobs)}, line {row.line}: {error}") from None
        unknown.update(dict.fromkeys(prompt_builder.unknown_words(row.text)))
    return BatchPlan(tuple(_tasks(rows, settings.output)), settings, name_for_workers(settings.model), tuple(unknown))


def _tasks(rows: Sequence[JobRow], output: Path) -> list[Task]:
    """One task per video, in the order of the file; a sentence that is listed twice for a video is segmented once."""
    rows_of_video: dict[Path, list[JobRow]] = {}
    for row in rows:
        rows_of_video.setdefault(_absolute(row.path), []).append(row)
    return [
        Task(its_rows[0].video, video, tuple(dict.fromkeys(row.text for row in its_rows)), folder)
        for (video, its_rows), folder in zip(rows_of_video.items(), run_folders(list(rows_of_video), output), strict=True)
    ]


def _absolute(path: Path) -> Path:
    """The same absolute path for all ways to write it. A link to a file counts as another video, because its name differs."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
