"""What became of a video of a batch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virst_cli.batch.plan import Task


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
