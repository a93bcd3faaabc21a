"""Many videos, each with its sentences: what `virst batch` does.

A jobs file is read and checked (`rows`), becomes one task a video (`plan`), and an engine does the tasks (`work`).
"""

from virst_cli.batch.outcome import Outcome
from virst_cli.batch.plan import Batch, Settings, Task, plan
from virst_cli.batch.work import run

__all__ = ["Batch", "Outcome", "Settings", "Task", "plan", "run"]
