"""The engine that works in this process, on one item after another."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from virst_cli.engines.engine import ItemT, MakeWork, OnItemProgress, ResultT


@dataclass(frozen=True)
class LocalEngine:
    """Works in this process. device: as `--device` takes it."""

    device: str = "auto"

    def map(
        self, make_work: MakeWork[ItemT, ResultT], items: Sequence[ItemT], on_progress: OnItemProgress
    ) -> Generator[tuple[int, ResultT], None, None]:
        """Yields (index, result) of every item in order; see `Engine.map`."""
        work = make_work(self.device)
        for index, item in enumerate(items):
            yield index, work(item, partial(on_progress, index))
