"""The workers of one errand: actors of Ray, each with a device, to whom the items are handed one by one."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from virst_cli.engines.engine import OnItemProgress
from virst_cli.errors import UsageError, VirstError

MAX_ATTEMPTS = 2  # of an item whose workers die, or of a worker that dies before it has begun; then it is no accident
POLL_INTERVAL = 1.0  # seconds between two questions how far the workers are
THREADS = "OMP_NUM_THREADS"


class Actor:
    """A worker, in a process of its own somewhere in the cluster. `at` is answered while `do` is at work."""

    def __init__(self, threads: str | None) -> None:
        """threads: our OMP_NUM_THREADS. Ray sets another, and kernels may round differently with it."""
        os.environ.pop(THREADS, None)
        if threads is not None:
            os.environ[THREADS] = threads
        self._at: tuple[str, int, int] | None = None

    def open(self, make: Callable[[str], Any], device: str) -> None:
        """Makes what the work needs."""
        self._work = make(device)

    def do(self, item: Any) -> Any:
        """Works on an item."""
        self._at = None
        return self._work(item, self._note)

    def at(self) -> tuple[str, int, int] | None:
        """How far the item is: stage, done, total."""
        return self._at

    def _note(self, stage: str, done: int, total: int) -> None:
        self._at = (stage, done, total)


@dataclass(eq=False)
class WorkerSlot:
    """A place in the cluster, and the worker that sits there now."""

    options: dict[str, Any]
    actor: Any = None
    item: int | None = None  # index of what it works on; None while it opens its model
    deaths: int = 0  # of workers that had not begun
    asked: "Future[Any] | None" = None  # how far it is


class Crew:
    """The workers, what they are at, and what is still to be done. ray: the module, connected."""

    def __init__(self, ray: Any, make: Any, device: str, items: Sequence[Any], tell: OnItemProgress) -> None:
        """See `Engine.map`."""
        self._ray, self._make, self._device, self._items, self._tell = ray, make, device, items, tell
        self._todo = deque(range(len(items)))
        self._attempts: Counter[int] = Counter()
        self._seats: list[WorkerSlot] = []
        self._busy: dict[Future[Any], WorkerSlot] = {}

    def results(self, places: Sequence[dict[str, Any]]) -> Iterator[tuple[int, Any]]:
        """(index, result or error) of every item, from workers at those places."""
        for place in places:
            self._seats.append(WorkerSlot(place))
            self._open(self._seats[-1])
        left = len(self._items)
        while left:
            done, _ = wait(self._busy, timeout=POLL_INTERVAL, return_when=FIRST_COMPLETED)
            for future in done:
                finished = self._settle(self._busy.pop(future), future)
                if finished is not None:
                    left -= 1
                    yield finished
            self._ask()

    def dismiss(self) -> None:
        """Ends all workers at once, whatever they do; what they have written stays."""
        for seat in self._seats:
            self._end(seat)

    def _open(self, seat: WorkerSlot) -> None:
        """Seats a new worker, which opens its model."""
        seat.actor = self._ray.remote(Actor).options(max_concurrency=2, **seat.options).remote(os.environ.get(THREADS))
        self._busy[seat.actor.open.remote(self._make, self._device).future()] = seat

    def _next(self, seat: WorkerSlot) -> None:
        """Gives a worker the next item, if there is one."""
        seat.asked = None
        if self._todo:
            seat.item = self._todo.popleft()
            self._busy[seat.actor.do.remote(self._items[seat.item]).future()] = seat

    def _settle(self, seat: WorkerSlot, future: "Future[Any]") -> tuple[int, Any] | None:
        """Takes what a worker has to say, and gives it new work. Returns what is finished by that, if anything."""
        item, seat.item = seat.item, None
        try:
            answer = future.result()
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            return self._lost(seat, item, error)
        self._next(seat)
        return None if item is None else (item, answer)

    def _lost(self, seat: WorkerSlot, item: int | None, error: Exception) -> tuple[int, VirstError] | None:
        """A worker died: its item is put back, and another takes its seat. An item that kills whoever takes it is given up."""
        self._end(seat)
        given_up = None
        if item is None:
            seat.deaths += 1
            if seat.deaths == MAX_ATTEMPTS:
                raise VirstError(f"a worker of the Ray cluster can't start: {' '.join(str(error).split())[:300]}")
        else:
            self._attempts[item] += 1
            if self._attempts[item] < MAX_ATTEMPTS:
                self._todo.append(item)  # last: one that kills its workers shall not hold up the others
            else:
                why = f"its worker died, {MAX_ATTEMPTS} times; that may be a lack of memory"
                given_up = (item, VirstError(f"{why}: try --dtype bfloat16 or fewer --workers"))
        if self._todo:
            self._open(seat)
        return given_up

    def _end(self, seat: WorkerSlot) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):  # it is dead already
            self._ray.kill(seat.actor)

    def _ask(self) -> None:
        """Passes on how far the items are. Never waits: an answer is taken when it is there."""
        for seat in self._busy.values():
            if seat.item is None:
                continue
            if seat.asked is None:
                seat.asked = seat.actor.at.remote().future()
            elif seat.asked.done():
                with suppress(self._ray.exceptions.RayError):
                    at = seat.asked.result()
                    if at is not None:
                        self._tell(seat.item, *at)
                seat.asked = None


def places(ray: Any, device: str, workers: int | None) -> tuple[str, list[dict[str, Any]]]:
    """The device that the workers shall use, and the resources of each.

    All use the same kind: masks from GPUs and from CPUs differ, and it would be luck which a video gets.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    gpus, cpus = (int(sum(node["Resources"].get(kind, 0) for node in nodes)) for kind in ("GPU", "CPU"))
    if not cpus:
        raise UsageError("the Ray cluster has no CPU to give; add a machine that has one")
    if device == "cuda" and not gpus:
        raise UsageError("the Ray cluster has no GPU; use --device cpu, or add a machine that has one")
    if device == "cuda" or (device == "auto" and gpus):
        return "cuda", [{"num_gpus": 1, "num_cpus": 1}] * min(workers or gpus, gpus)
    if workers is not None:
        return device, [{"num_cpus": 1, "scheduling_strategy": "SPREAD"}] * min(workers, cpus)
    at = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    machines = [node["NodeID"] for node in nodes if node["Resources"].get("CPU", 0) >= 1]
    return device, [{"num_cpus": 1, "scheduling_strategy": at(machine, soft=True)} for machine in machines]
