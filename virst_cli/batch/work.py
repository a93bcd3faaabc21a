"""The tasks of a batch, done by an engine; a video that fails is a result too."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from virst_cli.batch.plan import Batch, Outcome, Settings, Task
from virst_cli.engines import Engine
from virst_cli.errors import VirstError
from virst_cli.stages import OnProgress

OnTaskProgress = Callable[[Task, str, int, int], None]


def run_batch(
    batch: Batch, engine: Engine, tell: OnTaskProgress = lambda task, stage, done, total: None
) -> Generator[Outcome, None, None]:
    """Does the tasks, and yields what became of each, in the order in which they are done. Closing it ends the work.

    tell: called with a task, and how far it is: stage, done, total.
    Raises WeightsError or UsageError when the model can't be opened.
    """
    opening = WorkerFactory(batch.model, batch.settings, Path.cwd())
    results = engine.map(opening, batch.tasks, lambda index, stage, done, total: tell(batch.tasks[index], stage, done, total))
    with closing(results):
        for index, result in results:
            yield Outcome(batch.tasks[index], error=str(result)) if isinstance(result, VirstError) else result


@dataclass(frozen=True)
class WorkerFactory:
    """Opens the model on a device; what it returns does a task. here: the folder from which relative paths start."""

    model: str
    settings: Settings
    here: Path

    def __call__(self, device: str) -> Callable[[Task, OnProgress], Outcome]:
        """Raises what `virst_cli.load` raises."""
        from virst_cli.batch.worker import Worker  # torch comes with it, and only workers need that

        return Worker(self.model, self.settings, self.here, device)
