"""The workers on a Ray cluster: actors with a device each, which get the items one by one."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from virst_cli.engines.engine import OnItemProgress
from virst_cli.errors import UsageError, VirstError
from virst_cli.files.shown import one_line

MAX_ATTEMPTS = 2  # at an item whose workers die, and at starting a worker; a second failure is no coincidence
POLL_INTERVAL = 1.0  # seconds between two requests for the workers' progress
THREADS_VARIABLE = "OMP_NUM_THREADS"


class WorkerActor:
    """A worker in a process of its own, somewhere in the cluster. `progress` is answered while `run` works."""

    def __init__(self, threads: str | None) -> None:
        """threads: OMP_NUM_THREADS of this process. Ray sets another value, and kernels may round differently with it."""
        os.environ.pop(THREADS_VARIABLE, None)
        if threads is not None:
            os.environ[THREADS_VARIABLE] = threads
        self._progress: tuple[str, int, int] | None = None

    def open(self, make_work: Callable[[str], Any], device: str) -> None:
        """Makes what the work needs, such as an open model."""
        self._work = make_work(device)

    def run(self, item: Any) -> Any:
        """Works on an item and returns its result."""
        self._progress = None
        return self._work(item, self._note_progress)

    def progress(self) -> tuple[str, int, int] | None:
        """The last progress of the item: stage, done, total. None if it has not reported any."""
        return self._progress

    def _note_progress(self, stage: str, done: int, total: int) -> None:
        self._progress = (stage, done, total)


@dataclass(eq=False)
class WorkerSlot:
    """Resources for one worker, and the worker that has them now.

    options: Ray's options for the actor: its resources, and its place in the cluster.
    actor: the worker, which is replaced when it dies.
    item: index of the item that it works on; None while it opens its model or has no work.
    failed_starts: how many workers died before they took an item.
    progress: the answer to the last request for progress; None if no request is open.
    """

    options: dict[str, Any]
    actor: Any = None
    item: int | None = None
    failed_starts: int = 0
    progress: "Future[Any] | None" = None


class WorkerPool:
    """Hands the items to the workers, collects results and progress, and replaces workers that die."""

    def __init__(self, ray: Any, make_work: Any, device: str, items: Sequence[Any], on_progress: OnItemProgress) -> None:
        """ray: the module, connected to a cluster. device: for every worker. For the others see `Engine.map`."""
        self._ray, self._make_work, self._device, self._items, self._on_progress = ray, make_work, device, items, on_progress
        self._waiting = deque(range(len(items)))  # indices of items that no worker has
        self._attempts: Counter[int] = Counter()  # by index of the item
        self._slots: list[WorkerSlot] = []
        self._busy: dict[Future[Any], WorkerSlot] = {}

    def results(self, resources: Sequence[dict[str, Any]]) -> Iterator[tuple[int, Any]]:
        """Yields (index, result or VirstError) of every item, in the order in which they finish.

        resources: Ray's options for each worker, as `worker_resources` returns them.
        """
        for options in resources:
            self._slots.append(WorkerSlot(options))
            self._start_worker(self._slots[-1])
        unfinished = len(self._items)
        while unfinished:
            done, _ = wait(self._busy, timeout=POLL_INTERVAL, return_when=FIRST_COMPLETED)
            for future in done:
                finished = self._handle_answer(self._busy.pop(future), future)
                if finished is not None:
                    unfinished -= 1
                    yield finished
            self._poll_progress()

    def end(self) -> None:
        """Kills all workers at once. What they have written stays."""
        for slot in self._slots:
            self._kill_worker(slot)

    def _start_worker(self, slot: WorkerSlot) -> None:
        """Starts a new worker, which opens its model."""
        actor_class = self._ray.remote(WorkerActor).options(max_concurrency=2, **slot.options)  # `run` and `progress`
        slot.actor = actor_class.remote(os.environ.get(THREADS_VARIABLE))
        self._busy[slot.actor.open.remote(self._make_work, self._device).future()] = slot

    def _give_next_item(self, slot: WorkerSlot) -> None:
        """Gives a worker the next item, if there is one."""
        slot.progress = None
        if self._waiting:
            slot.item = self._waiting.popleft()
            self._busy[slot.actor.run.remote(self._items[slot.item]).future()] = slot

    def _handle_answer(self, slot: WorkerSlot, future: "Future[Any]") -> tuple[int, Any] | None:
        """Takes a worker's answer and gives it the next item. Returns the (index, result) that this finishes, if any.

        Raises what the work raised.
        """
        item, slot.item = slot.item, None
        try:
            result = future.result()
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            return self._handle_death(slot, item, error)
        self._give_next_item(slot)
        return None if item is None else (item, result)

    def _handle_death(self, slot: WorkerSlot, item: int | None, error: Exception) -> tuple[int, VirstError] | None:
        """Puts the item of a dead worker back and starts another worker.

        Returns (index, error) of an item that is given up because every worker that took it has died.
        Raises VirstError if workers die before they take an item.
        """
        self._kill_worker(slot)
        given_up = None
        if item is None:
            slot.failed_starts += 1
            if slot.failed_starts == MAX_ATTEMPTS:
                raise VirstError(f"a worker on the Ray cluster can't start: {one_line(error)}")
        else:
            self._attempts[item] += 1
            if self._attempts[item] < MAX_ATTEMPTS:
                self._waiting.append(item)  # at the end, so that an item that kills its workers does not delay the others
            else:
                reason = f"its worker died {MAX_ATTEMPTS} times, perhaps for lack of memory"
                given_up = (item, VirstError(f"{reason}; try --dtype bfloat16 or fewer --workers"))
        if self._waiting:
            self._start_worker(slot)
        return given_up

    def _kill_worker(self, slot: WorkerSlot) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):  # it is dead already
            self._ray.kill(slot.actor)

    def _poll_progress(self) -> None:
        """Passes on the progress of the items. Never waits: an answer that is not there yet is taken at a later call."""
        for slot in self._busy.values():
            if slot.item is None:
                continue
            if slot.progress is None:
                slot.progress = slot.actor.progress.remote().future()
            elif slot.progress.done():
                with suppress(self._ray.exceptions.RayError):
                    progress = slot.progress.result()
                    if progress is not None:
                        self._on_progress(slot.item, *progress)
                slot.progress = None


def worker_resources(ray: Any, device: str, workers: int | None) -> tuple[str, list[dict[str, Any]]]:
    """The device that all workers use, and Ray's options for each worker.

    All use the same kind of device: masks from GPUs and from CPUs differ, and a video's masks must not depend on chance.
    Raises UsageError if the cluster has no CPU, or no GPU although `device` is `cuda`.

    ray: the module, connected to a cluster.
    device, workers: as in `RayEngine`.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    gpus, cpus = (int(sum(node["Resources"].get(kind, 0) for node in nodes)) for kind in ("GPU", "CPU"))
    if not cpus:
        raise UsageError("the Ray cluster offers no CPU; add a machine that has one")
    if device == "cuda" and not gpus:
        raise UsageError("the Ray cluster has no GPU; use --device cpu, or add a machine that has one")
    if device == "cuda" or (device == "auto" and gpus):
        return "cuda", [{"num_gpus": 1, "num_cpus": 1}] * min(workers or gpus, gpus)
    if workers is not None:
        return device, [{"num_cpus": 1, "scheduling_strategy": "SPREAD"}] * min(workers, cpus)
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    machines = [node["NodeID"] for node in nodes if node["Resources"].get("CPU", 0) >= 1]
    return device, [{"num_cpus": 1, "scheduling_strategy": affinity(machine, soft=True)} for machine in machines]
