"""Many videos, each with its sentences: what `virst batch` does.

A jobs file is read and checked (`rows`), becomes one task a video (`plan`), and an engine does the tasks (`work`).
"""

from virst_cli.batch.plan import Batch, Outcome, Settings, Task, plan_batch
from virst_cli.batch.work import run_batch

__all__ = ["Batch", "Outcome", "Settings", "Task", "plan_batch", "run_batch"]
