"""Shows the progress of a batch on stderr: bars on a terminal, elsewhere a line per video and one every few seconds."""

from typing import TYPE_CHECKING

from virst_cli.commands.progress import ProgressDisplay

if TYPE_CHECKING:
    from virst_cli.batch import Task, VideoOutcome


class BatchProgress(ProgressDisplay):
    """Progress of the videos of a batch, of which several may be in work at once. A context manager.

    videos: number of videos in the batch.
    quiet: show nothing.
    """

    def __init__(self, videos: int, *, quiet: bool) -> None:
        super().__init__(quiet=quiet, transient=True)  # the summary table replaces the bars
        self._videos, self._finished = videos, 0
        self._running: dict[Task, tuple[str, int, int]] = {}  # stage, done and total of each video in work
        self._update_bar("videos", 0, videos)

    def update(self, task: "Task", stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a stage are finished. On a terminal, videos in the same stage share a bar."""
        self._running[task] = (stage, done, total)
        if self._bars is not None:
            same_stage = [(d, t) for name, d, t in self._running.values() if name == stage]
            self._update_bar(stage, sum(d for d, _ in same_stage), sum(t for _, t in same_stage))
        elif not self._quiet and self._status_is_due():
            self._print_status(f"{task.shown}: {stage} {done}/{total}")

    def video_finished(self, outcome: "VideoOutcome") -> None:
        """Show that a video is done or has failed."""
        self._running.pop(outcome.task, None)
        self._finished += 1
        if not self._quiet:
            self._print_status(f"[{self._finished}/{self._videos}] {outcome.task.shown}: {_result_text(outcome)}")
            self._update_bar("videos", self._finished, self._videos)


def _result_text(outcome: "VideoOutcome") -> str:
    """The result of a video in one line."""
    if outcome.error is not None:
        return f"failed: {outcome.error}"
    result = f"{outcome.frames} frames, {sum(outcome.found)} of {len(outcome.found)} found, {outcome.seconds:.1f} s"
    return result if outcome.warning is None else f"{result}; warning: {outcome.warning}"
