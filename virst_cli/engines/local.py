"""One worker: this process. Items are done in their order."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from virst_cli.engines.engine import Item, Make, OnItemProgress, Result


@dataclass(frozen=True)
class LocalEngine:
    """Does everything here. device: as `--device` takes it."""

    device: str = "auto"

    def map(
        self, make: Make[Item, Result], items: Sequence[Item], tell: OnItemProgress
    ) -> Generator[tuple[int, Result], None, None]:
        """As in `Engine`."""
        work = make(self.device)
        for index, item in enumerate(items):
            yield index, work(item, partial(tell, index))
