"""What of a model stays in memory: as much as there is room for, and a limit that can't be met is an error before any work."""

import pytest

from virst_cli.cost.residency import Residency, choose_residency
from virst_cli.errors import OutOfMemory

GB = 10**9
TAKES = {
    Residency.EVERYTHING: {"look": 17 * GB, "reason": 18 * GB},
    Residency.ENCODERS: {"look": 2 * GB, "reason": 4 * GB},
    Residency.NOTHING: {"look": GB, "reason": 2 * GB},
}


def chosen(**given) -> Residency:
    return choose_residency(TAKES.__getitem__, **{"small": False, "many": True, "free": None, **given})


@pytest.mark.parametrize(
    ("free", "stays"),
    [(30 * GB, Residency.EVERYTHING), (20 * GB, Residency.ENCODERS), (5 * GB, Residency.NOTHING), (None, Residency.NOTHING)],
)
def test_a_large_model_stays_as_far_as_three_quarters_of_what_is_free_allow(free: int | None, stays: Residency):
    assert chosen(free=free) is stays


@pytest.mark.parametrize(
    ("limit", "stays"), [(18 * GB, Residency.EVERYTHING), (4 * GB, Residency.ENCODERS), (2 * GB, Residency.NOTHING)]
)
def test_max_memory_says_how_much_room_there_is(limit: int, stays: Residency):
    assert chosen(free=GB, limit=limit) is stays


def test_for_a_single_video_nothing_of_a_large_model_stays():
    assert chosen(many=False, free=100 * GB) is Residency.NOTHING


def test_a_small_model_stays_whatever_is_free_unless_a_limit_forbids_it():
    assert chosen(small=True, many=False, free=0) is Residency.EVERYTHING
    assert chosen(small=True, many=False, limit=2 * GB) is Residency.NOTHING


def test_a_limit_below_the_least_names_the_stage_and_both_sizes():
    with pytest.raises(OutOfMemory, match=r"takes about 2\.0 GB at 'reason', and --max-memory allows 1\.9 GB"):
        chosen(limit=1_900_000_000)
