"""How far a batch is, on stderr: bars on a terminal, elsewhere a line a video and one every few seconds."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import typer

from virst_cli.commands.progress import EVERY, Progress

if TYPE_CHECKING:
    from virst_cli.batch import Outcome, Task


class Course:
    """Takes reports of the videos that are worked on, and what became of them. A context manager; silent when `quiet`."""

    def __init__(self, videos: int, *, quiet: bool) -> None:
        self._videos, self._quiet = videos, quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._bars = Progress(quiet=not self._terminal)
        self._now: dict[Task, tuple[str, int, int]] = {}  # stage, done and total of each video that is worked on
        self._done, self._said = 0, time.monotonic()

    def __enter__(self) -> "Course":
        self._bars.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.__exit__(kind, error, trace)

    def at(self, task: "Task", stage: str, done: int, total: int) -> None:
        """A video has come on. On a terminal, all videos in the same stage share a bar."""
        self._now[task] = (stage, done, total)
        if self._terminal:
            together = [(d, t) for name, d, t in self._now.values() if name == stage]
            self._bars(stage, sum(d for d, _ in together), sum(t for _, t in together))
        elif not self._quiet and time.monotonic() - self._said >= EVERY:
            self._say(f"{task.shown}: {stage} {done}/{total}")

    def finished(self, outcome: "Outcome") -> None:
        """A video is done, or has failed."""
        self._now.pop(outcome.task, None)
        self._done += 1
        if not self._quiet:
            self._say(f"[{self._done}/{self._videos}] {outcome.task.shown}: {_became(outcome)}")
            self._bars("videos", self._done, self._videos)

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        typer.echo(line, err=True)


def _became(outcome: "Outcome") -> str:
    """What became of a video, in one line."""
    if outcome.error is not None:
        return f"failed: {outcome.error}"
    frames = f"{outcome.frames} frames, {sum(outcome.found)} of {len(outcome.found)} found, {outcome.seconds:.1f} s"
    return frames if outcome.warning is None else f"{frames}; warning: {outcome.warning}"
