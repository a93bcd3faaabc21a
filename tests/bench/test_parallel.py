"""Tasks run at once, come back in order, and wait for the one who asks."""

import threading
import time
from collections.abc import Iterator

import pytest

from virst_cli.bench.parallel import AHEAD, cores, map_in_order


def test_results_come_in_the_order_of_the_items_whichever_is_done_first() -> None:
    def late_if_even(number: int) -> int:
        time.sleep(0.01 * (number % 2 == 0))
        return -number

    assert list(map_in_order(late_if_even, range(20))) == [-number for number in range(20)]


@pytest.mark.skipif(cores() < 2, reason="one core")
def test_two_tasks_run_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=20)
    assert list(map_in_order(lambda _: together.wait() >= 0, range(2))) == [True, True]  # each waits for the other


def test_items_are_taken_only_as_results_are_asked_for() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    results = map_in_order(abs, items())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= 3 + AHEAD * cores()
    results.close()
    assert len(taken) <= 3 + AHEAD * cores()


def test_an_error_comes_in_its_turn_and_ends_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        done.append(number)
        return number

    results = map_in_order(work, range(10_000))
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(results)
    assert len(done) <= 5 + AHEAD * cores()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("virst-score")]
