"""How far a batch is, on stderr: bars on a terminal, elsewhere a line a video and one every few seconds."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import typer

from virst_cli.commands.progress import EVERY

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from virst_cli.batch import Outcome, Task


class BatchProgress:
    """Takes reports of the videos that are worked on, and what became of them. A context manager; silent when `quiet`."""

    def __init__(self, videos: int, *, quiet: bool) -> None:
        self._videos, self._quiet = videos, quiet
        self._bars: Bars | None = None
        self._rows: dict[str, TaskID] = {}
        self._now: dict[Task, tuple[str, int, int]] = {}  # stage, done and total of each video that is worked on
        self._done, self._said = 0, time.monotonic()
        if not quiet and sys.stderr.isatty():
            self._bars = _bars()

    def __enter__(self) -> "BatchProgress":
        if self._bars is not None:
            self._bars.start()
            self._show("videos", 0, self._videos)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def echo(self, line: str, *, err: bool = False) -> None:
        """Prints a line, on stdout unless `err`; on a terminal above the bars, whichever stream it belongs to."""
        if self._bars is not None and (err or sys.stdout.isatty()):
            from rich.text import Text

            self._bars.console.print(Text(line), soft_wrap=True)
        else:
            typer.echo(line, err=err)

    def at(self, task: "Task", stage: str, done: int, total: int) -> None:
        """A video has come on. On a terminal, all videos in the same stage share a bar."""
        self._now[task] = (stage, done, total)
        if self._bars is not None:
            together = [(d, t) for name, d, t in self._now.values() if name == stage]
            self._show(stage, sum(d for d, _ in together), sum(t for _, t in together))
        elif not self._quiet and time.monotonic() - self._said >= EVERY:
            self._say(f"{task.shown}: {stage} {done}/{total}")

    def finished(self, outcome: "Outcome") -> None:
        """A video is done, or has failed."""
        self._now.pop(outcome.task, None)
        self._done += 1
        if not self._quiet:
            self._say(f"[{self._done}/{self._videos}] {outcome.task.shown}: {_became(outcome)}")
            self._show("videos", self._done, self._videos)

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self.echo(line, err=True)

    def _show(self, row: str, done: int, total: int) -> None:
        if self._bars is not None:
            if row not in self._rows:
                self._rows[row] = self._bars.add_task(row, total=total)
            self._bars.update(self._rows[row], completed=done, total=total)


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:>6}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bars(*columns, console=Console(stderr=True), transient=True)  # the table is what stays


def _became(outcome: "Outcome") -> str:
    """What became of a video, in one line."""
    if outcome.error is not None:
        return f"failed: {outcome.error}"
    frames = f"{outcome.frames} frames, {sum(outcome.found)} of {len(outcome.found)} found, {outcome.seconds:.1f} s"
    return frames if outcome.warning is None else f"{frames}; warning: {outcome.warning}"
