"""Loads the batches of a recipe in order; for an accelerator, worker processes make them ahead of time.

A batch depends only on the seed, its stage and step, and the numbers of its parts, not on the process that makes it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch.utils.data import DataLoader, Dataset

from virst_cli.training.recipe import TrainingStage
from virst_cli.training.training_batch import TrainingBatch

PREFETCHED = 4  # batches that each worker process keeps ready
Position = tuple[int, int]  # number of the stage in the recipe, step of the stage


class BatchSource(Protocol):
    """Makes batches from seeds; the same seeds give the same batch."""

    @property
    def name(self) -> str:
        """Name of the data, for the model's manifest."""
        ...

    def __call__(
        self, keys: Sequence[Sequence[int]], *, clips: int, frames: int, sentences: int, types: Sequence[str]
    ) -> TrainingBatch:
        """One batch with `clips` clips for each key.

        keys: seeds, each a sequence of integers.
        frames, sentences: per clip.
        types: types of sentences, if the source has types.
        """
        ...


@dataclass(frozen=True)
class RecipeBatches(Dataset[TrainingBatch]):
    """The batches of a recipe, by stage and step.

    parts: numbers of the parts of a batch, each of which has a seed of its own.
    """

    source: BatchSource
    recipe: Sequence[TrainingStage]
    seed: int
    parts: Sequence[int]

    def __getitem__(self, position: Position) -> TrainingBatch:
        number, step = position
        stage = self.recipe[number]
        shape = stage.batch_at(step)
        keys = [(self.seed, number, step, part) for part in self.parts]
        return self.source(
            keys, clips=shape.clips, frames=shape.frames, sentences=shape.sentences, types=stage.types_at(step)
        )  # fmt: skip

    def load_from(self, start: Position, *, num_workers: int, pin_memory: bool) -> Iterator[TrainingBatch]:
        """All batches from `start` to the end of the recipe.

        num_workers: processes that make the batches; 0: this process makes each when it is needed.
        pin_memory: put them into memory from which a CUDA device copies fast.
        """
        positions = ((number, step) for number, stage in enumerate(self.recipe) for step in range(stage.steps))
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=[position for position in positions if position >= start],
            num_workers=num_workers,
            prefetch_factor=PREFETCHED if num_workers else None,
            multiprocessing_context="spawn" if num_workers else None,
            worker_init_fn=_lower_priority,
            pin_memory=pin_memory,
        )
        return iter(loader)


def _lower_priority(worker_id: int) -> None:
    """Let the process that keeps the accelerator busy run first."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(5)
