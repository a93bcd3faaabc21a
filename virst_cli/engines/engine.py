"""The interface of an engine."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from virst_cli.errors import VirstError
from virst_cli.stages import OnProgress

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

Work = Callable[[ItemT, OnProgress], ResultT]
"""Works on one item, reports its progress, and returns its result."""

MakeWork = Callable[[str], Work[ItemT, ResultT]]
"""Makes the `Work` of a worker, given the name of its device as `--device` takes it."""

OnItemProgress = Callable[[int, str, int, int], None]
"""Called with the index of an item, then as `OnProgress`: the stage, how much of it is done, and how much there is."""


class Engine(Protocol):
    """Runs a function on many items."""

    def map(
        self, make_work: MakeWork[ItemT, ResultT], items: Sequence[ItemT], on_progress: OnItemProgress
    ) -> Generator[tuple[int, "ResultT | VirstError"], None, None]:
        """Yields (index, result) of every item, in the order in which they finish. Closing the generator ends all workers.

        make_work: called once in every worker; what it returns is called with the worker's items, one at a time.
        items: they, `make_work` and the results must be picklable.
        on_progress: called now and then with the progress of the items.

        A `VirstError` in place of a result means that workers died while they worked on this item; the other items continue.
        Raises whatever `make_work` or the work raises, and then ends all workers.
        """
        ...
