"""From a jobs file to tasks, one a video, with everything checked that can be checked before a weight is read."""

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
class Settings:
    """What all videos of a batch have in common; see `virst_cli.runs.job.Request`.

    overwrite: begin anew instead of going on with what is done; strict: a video that breaks off has failed.
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
    """One video. name: as the jobs file has it; video: its absolute path; folder: where its run goes."""

    name: str
    video: Path
    sentences: tuple[str, ...]
    folder: Path

    @property
    def shown(self) -> str:
        """The name as it may stand in a line."""
        return shown(Path(self.name))


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    run: run.json as a dict, None where there is none; files: what is there now; seconds: that it took;
    error: why it failed, in one line; trace: of a failure, where in the code.
    """

    task: Task
    seconds: float = 0.0
    run: dict[str, Any] | None = None
    files: tuple[Path, ...] = ()
    error: str | None = None
    trace: str | None = None

    @property
    def found(self) -> list[bool]:
        """Whether something was found, for every sentence; all False where it failed."""
        return [False] * len(self.task.sentences) if self.run is None else list(self.run["found"])

    @property
    def frames(self) -> int:
        """How many frames have masks."""
        return 0 if self.run is None else int(self.run["frames"])

    @property
    def warning(self) -> str | None:
        """Why frames are missing, if some are."""
        return None if self.run is None else self.run.get("warning")


@dataclass(frozen=True)
class Batch:
    """What is to be done. model: by a name or path that holds on other machines too; unknown_words: that it has never seen."""

    tasks: tuple[Task, ...]
    settings: Settings
    model: str
    unknown_words: tuple[str, ...]


def plan_batch(jobs: Path, settings: Settings) -> Batch:
    """Reads a jobs file. Raises UsageError, SentenceError or WeightsError, whichever is the first reason not to begin."""
    parse_formats(settings.formats)
    rows = read_rows(jobs)
    prompts = PromptBuilder.from_file(find_model(settings.model) / "tokenizer.json")
    unknown: dict[str, None] = {}
    for row in rows:
        try:
            prompts.normalise(row.text)
        except SentenceError as error:
            raise SentenceError(f"{shown(jobs)}, line {row.line}: {error}") from None
        unknown.update(dict.fromkeys(prompts.unknown_words(row.text)))
    return Batch(tuple(_tasks(rows, settings.output)), settings, name_for_workers(settings.model), tuple(unknown))


def _tasks(rows: Sequence[JobRow], output: Path) -> list[Task]:
    """One task a video, in the order of the file; a sentence that is given twice is asked once."""
    together: dict[Path, list[JobRow]] = {}
    for row in rows:
        together.setdefault(_place(row.path), []).append(row)
    return [
        Task(same[0].video, video, tuple(dict.fromkeys(row.text for row in same)), folder)
        for (video, same), folder in zip(together.items(), run_folders(list(together), output), strict=True)
    ]


def _place(path: Path) -> Path:
    """Where a video is, one way to write it only; but a link to a file is a video of its own, as it has its own name."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
