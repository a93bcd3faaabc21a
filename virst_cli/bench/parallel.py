"""Many small tasks on all cores, in threads: decoding pictures and numpy's loops let other threads run meanwhile.

Threads share the data set, start at once and hand back numbers, so neither start-up nor copying eats what they gain.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # tasks a thread: one at work, one waiting, so memory does not grow with the number of items


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of every item, in the order of the items; only a few are taken before their results are asked for.

    Raises what `function` raises when its turn comes; the tasks that wait are dropped then, and also when the caller stops early.
    """
    threads = cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="virst-score")
    todo: deque[Future[Result]] = deque()
    try:
        for item in items:
            todo.append(pool.submit(function, item))
            if len(todo) >= AHEAD * threads:
                yield todo.popleft().result()
        while todo:
            yield todo.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """How many cores this process may use: fewer than there are where a container or a batch system limits it."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
