"""Training on several cores: one process a core, with averaged gradients.

Two processes of one thread each are faster than one of two threads, as most of a small model's operations are too small
to be split.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from virst_cli.model.config import VIRST_NANO
from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.loop import Progress, Trainer
from virst_cli.training.stages import RECIPE, scaled
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.world import vocabulary


def train(
    folder: Path,
    report: Callable[[Progress], None],
    *,
    workers: int | None = None,
    effort: float = 1.0,
    seed: int = 0,
    until: float | None = None,
) -> Trainer:
    """Train virst-nano with its recipe; state in `folder`, from which it goes on. Returns the first process's trainer.

    effort: share of the recipe's steps.  until: `time.monotonic` at which to stop and save.
    """
    count = workers or os.cpu_count() or 1
    if count == 1:
        return _work(0, folder, effort, seed, until, report)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    context = mp.get_context("spawn")
    others = [
        context.Process(target=_join, args=(rank, count, address, folder, effort, seed, until), daemon=True)
        for rank in range(1, count)
    ]
    for process in others:
        process.start()
    try:
        dist.init_process_group("gloo", init_method=address, rank=0, world_size=count)
        trainer = _work(1, folder, effort, seed, until, report)
        for process in others:
            process.join()
        return trainer
    finally:
        for process in others:
            process.kill()
        if dist.is_initialized():
            dist.destroy_process_group()


def _join(rank: int, count: int, address: str, folder: Path, effort: float, seed: int, until: float | None) -> None:
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=count)
    _work(1, folder, effort, seed, until, lambda progress: None)
    dist.destroy_process_group()


def _work(
    threads: int, folder: Path, effort: float, seed: int, until: float | None, report: Callable[[Progress], None]
) -> Trainer:
    if threads:
        torch.set_num_threads(threads)
    prompts = PromptBuilder(word_tokenizer(vocabulary()))
    trainer = Trainer(VIRST_NANO, prompts, scaled(RECIPE, effort), folder, seed=seed)
    trainer.run(report, until=until)
    return trainer
