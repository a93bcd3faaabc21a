"""Segments many videos, each with its sentences, as `virst batch` does.

A jobs file is read and checked (`jobs_file`), it becomes one task per video (`plan`), and an engine runs the tasks (`work`).
"""

from virst_cli.batch.plan import BatchPlan, BatchSettings, Task, VideoOutcome, plan_batch
from virst_cli.batch.work import run_batch

__all__ = ["BatchPlan", "BatchSettings", "Task", "VideoOutcome", "plan_batch", "run_batch"]
