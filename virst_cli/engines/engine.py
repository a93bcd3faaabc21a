"""What an engine is."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from virst_cli.errors import VirstError

Item = TypeVar("Item")
Result = TypeVar("Result")

OnProgress = Callable[[str, int, int], None]  # stage, how much of it is done, of how much
Work = Callable[[Item, OnProgress], Result]
Make = Callable[[str], Work[Item, Result]]  # from the name of a device, as `--device` takes it
OnItemProgress = Callable[[int, str, int, int], None]  # index of the item, then as in Report


class Engine(Protocol):
    """Maps a function over items."""

    def map(
        self, make: Make[Item, Result], items: Sequence[Item], tell: OnItemProgress
    ) -> Generator[tuple[int, "Result | VirstError"], None, None]:
        """(index, result) of every item, in the order in which they are done.

        make: called once in every worker, with the device that it has; its result is called with the worker's items, one
        at a time. Both, the items and the results can be pickled. tell: hears how far the items are, now and then.
        A `VirstError` in place of a result says that workers died over this item; the others go on.
        Raises whatever `make` or its result raises, and ends the work. It is a generator: closing it ends all workers.
        """
        ...
