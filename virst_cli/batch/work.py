"""The tasks of a batch, done by an engine; a video that fails is a result too."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virst_cli.batch.plan import Batch, Settings, Task
from virst_cli.engines import Engine
from virst_cli.engines.engine import Report
from virst_cli.errors import VirstError

Tell = Callable[[Task, str, int, int], None]


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


def run(batch: Batch, engine: Engine, tell: Tell = lambda task, stage, done, total: None) -> Generator[Outcome, None, None]:
    """Does the tasks, and yields what became of each, in the order in which they are done. Closing it ends the work.

    tell: called with a task, and how far it is: stage, done, total.
    Raises WeightsError or UsageError when the model can't be opened.
    """
    opening = Opening(batch.model, batch.settings, Path.cwd())
    results = engine.map(opening, batch.tasks, lambda index, stage, done, total: tell(batch.tasks[index], stage, done, total))
    with closing(results):
        for index, result in results:
            yield Outcome(batch.tasks[index], error=str(result)) if isinstance(result, VirstError) else result


@dataclass(frozen=True)
class Opening:
    """Opens the model on a device; what it returns does a task. here: the folder from which relative paths start."""

    model: str
    settings: Settings
    here: Path

    def __call__(self, device: str) -> Callable[[Task, Report], Outcome]:
        """Raises what `virst_cli.load` raises."""
        from virst_cli.batch.worker import Worker  # torch comes with it, and only workers need that

        return Worker(self.model, self.settings, self.here, device)
