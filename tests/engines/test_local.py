"""The engine that works here, and how one is chosen."""

import os
from pathlib import Path

import pytest

from tests.engines.toys import Toy, silent
from virst_cli.engines import open_engine
from virst_cli.errors import UsageError


def test_items_are_done_in_order_by_one_worker_that_is_made_once(tmp_path: Path):
    told: list[tuple[object, ...]] = []
    results = open_engine("local", device="cpu").map(Toy(tmp_path), ["a", "b"], lambda *at: told.append(at))
    assert not list(tmp_path.iterdir()), "nothing is made before the first result is asked for"
    assert [(index, did.item, did.pid, did.device) for index, did in results if not isinstance(did, Exception)] == [
        (0, "a", os.getpid(), "cpu"),
        (1, "b", os.getpid(), "cpu"),
    ]
    assert told == [(0, "toil", 1, 2), (1, "toil", 1, 2)]
    assert len(list(tmp_path.glob("made-*"))) == 1


def test_what_work_raises_ends_it(tmp_path: Path):
    results = open_engine("local", device="cpu").map(Toy(tmp_path), ["a", "raises", "b"], silent)
    next(results)
    with pytest.raises(UsageError, match="this is wrong"):
        next(results)


@pytest.mark.parametrize(("options", "said"), [({"workers": 2}, "--workers 2"), ({"ray_address": "x:1"}, "--ray-address x:1")])
def test_options_of_the_cluster_are_refused_without_it(options: dict[str, object], said: str):
    with pytest.raises(UsageError, match=f"{said} is for a cluster; add --engine ray"):
        open_engine("local", device="cpu", **options)  # type: ignore[arg-type]


def test_another_engine_is_refused():
    with pytest.raises(UsageError, match="choose local or ray"):
        open_engine("spark", device="cpu")
