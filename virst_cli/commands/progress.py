"""Shows progress on stderr: bars on a terminal, elsewhere a line every few seconds."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
    from typing_extensions import Self

    from virst_cli.training.loop import StepReport

SECONDS_BETWEEN_LINES = 5.0  # where stderr is not a terminal


class ProgressDisplay:
    """Bars on a terminal, one per name, and plain lines elsewhere. A context manager; base of what commands use.

    quiet: show nothing.
    transient: remove the bars at the end.
    """

    def __init__(self, *, quiet: bool, transient: bool = False) -> None:
        self._quiet = quiet
        self._bars: RichProgress | None = None if quiet or not sys.stderr.isatty() else _make_bars(transient)
        self._bar_ids: dict[str, TaskID] = {}
        self._last_line_time = time.monotonic()

    def __enter__(self) -> "Self":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def print_line(self, line: str, *, err: bool = False) -> None:
        """Print a line that stays, on stdout or (`err`) on stderr; on a terminal it appears above the bars."""
        if self._bars is not None and (err or sys.stdout.isatty()):
            from rich.text import Text

            self._bars.console.print(Text(line), soft_wrap=True)
        else:
            typer.echo(line, err=err)

    def _update_bar(self, name: str, done: int, total: int) -> None:
        if self._bars is not None:
            if name not in self._bar_ids:
                self._bar_ids[name] = self._bars.add_task(name, total=total)
            self._bars.update(self._bar_ids[name], completed=done, total=total)

    def _print_status(self, line: str) -> None:
        """Print a line about progress on stderr."""
        self._last_line_time = time.monotonic()
        self.print_line(line, err=True)

    def _status_is_due(self) -> bool:
        return time.monotonic() - self._last_line_time >= SECONDS_BETWEEN_LINES


class Progress(ProgressDisplay):
    """Progress of one job through its stages. Call it as an `OnProgress`: `progress(stage, done, total)`."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._stage, self._stage_start, self._done_at_start, self._done = "", 0.0, 0, 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a stage (frames, megabytes, ...) are finished."""
        if self._bars is not None:
            self._update_bar(stage, done, total)
        elif not self._quiet:
            self._update_line(stage, done, total)

    def _update_line(self, stage: str, done: int, total: int) -> None:
        """Print a line if the stage is new or finished, or if the last line is some seconds old."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_start, self._done_at_start = stage, now, done
        elif done == self._done or (done < total and not self._status_is_due()):
            return
        self._done = done
        rate = (done - self._done_at_start) / (now - self._stage_start) if now > self._stage_start else 0.0
        speed = f", {rate:.1f}/s" if rate else ""
        remaining = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
        self._print_status(f"{stage} {done}/{total}{speed}{remaining}")


def print_training_step(report: "StepReport") -> None:
    """Print losses and speed of training in one line on stderr; on a terminal too, so that earlier losses stay visible."""
    losses = "  ".join(f"{name} {value:.4f}" for name, value in report.losses.items())
    minutes = (report.steps - report.step) * report.seconds / 60
    step = f"{report.stage} {report.step}/{report.steps}"
    typer.echo(f"{step}  {losses}  {report.seconds:.2f} s/step, {minutes:.0f} min left in this stage", err=True)


def _make_bars(transient: bool) -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Units per second; empty while the rate is unknown, or too low to be shown with one decimal."""

        def render(self, task: "object") -> Text:
            """The text of one bar."""
            rate = getattr(task, "finished_speed", None) or getattr(task, "speed", None) or 0.0
            return Text(f"{rate:.1f}/s" if rate >= 0.1 else "")

    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    return RichProgress(*columns, console=Console(stderr=True), transient=transient)
