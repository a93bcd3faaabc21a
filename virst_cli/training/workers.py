"""Runs a training in several processes: each trains on a CPU core, or makes batches for an accelerator.

Two processes of one thread each are faster than one process of two threads, because most operations of a small model are too
small to be split.
"""

import os
import socket
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from virst_cli.training.loop import StepReport, Trainer
from virst_cli.training.setup import TrainingJob


def train(
    job: TrainingJob, report: Callable[[StepReport], None], *, workers: int | None = None, until: float | None = None
) -> Trainer:
    """Run a training job, from the state in its folder if there is one. Returns the trainer of the first process.

    report: called with the progress, in the first process only.
    workers: number of processes; one per core by default.
    until: value of `time.monotonic` at which to save and stop.
    """
    count = workers or os.cpu_count() or 1
    if job.device.type != "cpu":
        torch.set_float32_matmul_precision("high")  # TF32: as fast as 16 bits for so small a model, without casts
        return _run_job(job, until, report, num_workers=count)
    if count == 1:
        return _run_job(job, until, report)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    context = mp.get_context("spawn")
    others = [context.Process(target=_run_rank, args=(rank, count, address, job, until), daemon=True) for rank in range(1, count)]
    for process in others:
        process.start()
    try:
        dist.init_process_group("gloo", init_method=address, rank=0, world_size=count)
        torch.set_num_threads(1)
        trainer = _run_job(job, until, report)
        for process in others:
            process.join()
        return trainer
    finally:
        for process in others:
            process.kill()
        if dist.is_initialized():
            dist.destroy_process_group()


def _run_rank(rank: int, count: int, address: str, job: TrainingJob, until: float | None) -> None:
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=count)
    torch.set_num_threads(1)
    _run_job(job, until, lambda progress: None)
    dist.destroy_process_group()


def _run_job(job: TrainingJob, until: float | None, report: Callable[[StepReport], None], num_workers: int = 0) -> Trainer:
    trainer = job.trainer(num_workers)
    trainer.run(report, until=until)
    return trainer
