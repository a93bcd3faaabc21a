"""The batches of a recipe, one step after the other; for an accelerator they are drawn ahead by other processes.

Every batch comes from the seed, its place in the recipe and the number of each of its parts, whoever draws it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch.utils.data import DataLoader, Dataset

from virst_cli.training.recipe import TrainingStage
from virst_cli.training.training_batch import TrainingBatch

AHEAD = 4  # batches that each drawing process has ready
Place = tuple[int, int]  # stage, step


class BatchSource(Protocol):
    """Where batches come from; the same keys give the same batch."""

    @property
    def name(self) -> str:
        """What it is, for the record."""
        ...

    def __call__(
        self, keys: Sequence[Sequence[int]], *, clips: int, frames: int, sentences: int, types: Sequence[str]
    ) -> TrainingBatch:
        """A batch of that shape for each key, as one batch, with sentences of those types."""
        ...


@dataclass(frozen=True)
class BatchFeed(Dataset[TrainingBatch]):
    """Batches by their place in the recipe. `parts`: numbers of those of which a batch is made."""

    source: BatchSource
    recipe: Sequence[TrainingStage]
    seed: int
    parts: Sequence[int]

    def __getitem__(self, place: Place) -> TrainingBatch:
        number, step = place
        stage = self.recipe[number]
        shape = stage.batches[step % len(stage.batches)]
        keys = [(self.seed, number, step, part) for part in self.parts]
        return self.source(
            keys, clips=shape.clips, frames=shape.frames, sentences=shape.sentences, types=stage.types_at(step)
        )  # fmt: skip

    def onwards(self, place: Place, *, num_workers: int, pin: bool) -> Iterator[TrainingBatch]:
        """All batches from there to the end, drawn by so many other processes, or by this one. pin: for a CUDA device."""
        everything = ((number, step) for number, stage in enumerate(self.recipe) for step in range(stage.steps))
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=[each for each in everything if each >= place],
            num_workers=num_workers,
            prefetch_factor=AHEAD if num_workers else None,
            multiprocessing_context="spawn" if num_workers else None,
            worker_init_fn=_stand_back,
            pin_memory=pin,
        )
        return iter(loader)


def _stand_back(worker: int) -> None:
    """The process that keeps the device busy goes first."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(5)
