"""Runs the tasks of a batch on an engine. A video that fails is a result too."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from virst_cli.batch.plan import BatchPlan, BatchSettings, Task, VideoOutcome
from virst_cli.engines import Engine
from virst_cli.errors import VirstError
from virst_cli.stages import OnProgress

OnTaskProgress = Callable[[Task, str, int, int], None]
"""Called with a task, then as `OnProgress`: the stage, how much of it is done, and how much there is."""


def ignore_task_progress(task: Task, stage: str, done: int, total: int) -> None:
    """An `OnTaskProgress` that does nothing."""


def run_batch(
    plan: BatchPlan, engine: Engine, on_progress: OnTaskProgress = ignore_task_progress
) -> Generator[VideoOutcome, None, None]:
    """Runs all tasks of a plan and yields the outcome of each, in the order in which they finish.

    Closing the generator stops the work. Raises WeightsError or UsageError if the model can't be opened.
    """
    make_worker = WorkerFactory(plan.model, plan.settings, Path.cwd())
    results = engine.map(
        make_worker, plan.tasks, lambda index, stage, done, total: on_progress(plan.tasks[index], stage, done, total)
    )
    with closing(results):
        for index, result in results:
            yield VideoOutcome(plan.tasks[index], error=str(result)) if isinstance(result, VirstError) else result


@dataclass(frozen=True)
class WorkerFactory:
    """Makes a worker for a device. It can be pickled, so it can be sent to other processes.

    model: name or path of the model.
    working_folder: the folder at which relative paths start, as an absolute path.
    """

    model: str
    settings: BatchSettings
    working_folder: Path

    def __call__(self, device: str) -> Callable[[Task, OnProgress], VideoOutcome]:
        """Opens the model on a device and returns the worker. Raises what `virst_cli.load` raises."""
        from virst_cli.batch.worker import Worker  # it imports torch, which only workers need

        return Worker(self.model, self.settings, self.working_folder, device)
