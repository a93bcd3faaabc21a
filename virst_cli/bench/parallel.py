"""Runs many small tasks on all cores, in threads: decoding pictures and numpy's loops release the interpreter lock.

Unlike processes, threads share the data set and start at once, so neither start-up nor copying takes time.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # tasks per thread: one running, one waiting, so that memory does not grow with the number of items


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Gives `function(item)` for every item, in the order of the items; takes only a few items ahead of the results.

    Raises what `function` raises, when that result is due. Waiting tasks are dropped then, and also when the caller stops early.
    """
    threads = cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="virst-score")
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= AHEAD * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """How many cores this process may use, which a container or a batch system can limit."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
