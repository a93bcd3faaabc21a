"""What an engine is, and which there are."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from virst_cli.errors import UsageError, VirstError

Item = TypeVar("Item")
Result = TypeVar("Result")

Report = Callable[[str, int, int], None]  # stage, how much of it is done, of how much
Work = Callable[[Item, Report], Result]
Make = Callable[[str], Work[Item, Result]]  # from the name of a device, as `--device` takes it
Tell = Callable[[int, str, int, int], None]  # index of the item, then as in Report

LOCAL, RAY = "local", "ray"


class Engine(Protocol):
    """Maps a function over items."""

    def map(
        self, make: Make[Item, Result], items: Sequence[Item], tell: Tell
    ) -> Generator[tuple[int, "Result | VirstError"], None, None]:
        """(index, result) of every item, in the order in which they are done.

        make: called once in every worker, with the device that it has; its result is called with the worker's items, one
        at a time. Both, the items and the results can be pickled. tell: hears how far the items are, now and then.
        A `VirstError` in place of a result says that workers died over this item; the others go on.
        Raises whatever `make` or its result raises, and ends the work. It is a generator: closing it ends all workers.
        """
        ...


def open_engine(name: str, *, device: str, ray_address: str | None = None, workers: int | None = None) -> Engine:
    """The engine of that name. Nothing is started before its `map` is iterated. Raises UsageError.

    device: as `--device` takes it. ray_address: of a cluster that runs, else one is started here; workers: at most.
    """
    if name == LOCAL:
        from virst_cli.engines.local import LocalEngine

        for option, value in (("--ray-address", ray_address), ("--workers", workers)):
            if value is not None:
                raise UsageError(f"{option} {value} is for a cluster; add --engine ray, or leave it out")
        return LocalEngine(device)
    if name == RAY:
        from virst_cli.engines.cluster import RayEngine

        return RayEngine(device, ray_address, workers)
    raise UsageError(f"--engine {name}: there is no such engine; choose {LOCAL} or {RAY}")
