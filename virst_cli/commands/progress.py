"""How far a run is, on stderr: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from virst_cli.training.loop import StepReport as Step

EVERY = 5.0  # seconds between two plain lines


class Progress:
    """Takes reports of (stage, done, total). A context manager; nothing is shown when `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._quiet = quiet
        self._stage, self._began, self._from, self._said = "", 0.0, 0, 0.0
        if not quiet and sys.stderr.isatty():
            self._bars = _bars()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """A stage has come on."""
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
        elif not self._quiet:
            self._line(stage, done, total)

    def __enter__(self) -> "Progress":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _line(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._from, self._said = stage, now, done, now
        elif done < total and now - self._said < EVERY:
            return
        self._said = now
        rate = (done - self._from) / (now - self._began) if now > self._began else 0.0
        pace = f", {rate:.1f} a second" if rate else ""
        left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
        typer.echo(f"{stage} {done}/{total}{pace}{left}", err=True)


class TrainingProgress:
    """Takes reports of training; a context manager. A line each, on a terminal too: losses are read by looking back."""

    def __enter__(self) -> "TrainingProgress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to put away."""

    def report(self, progress: "Step") -> None:
        """Some steps were made."""
        losses = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
        left = (progress.steps - progress.step) * progress.seconds
        place = f"{progress.stage} {progress.step}/{progress.steps}"
        typer.echo(f"{place}  {losses}  {progress.seconds:.2f} s a step, {left / 60:.0f} min left in this stage", err=True)


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Rate(ProgressColumn):
        """Frames a second."""

        def render(self, task: "object") -> Text:
            """Nothing until it is known."""
            speed = getattr(task, "finished_speed", None) or getattr(task, "speed", None)
            return Text(f"{speed:.1f}/s" if speed else "")

    columns = (TextColumn("{task.description:>6}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    return Bars(*columns, console=Console(stderr=True))
