"""The engine that works in this process, and the choice of an engine."""

import os
from pathlib import Path

import pytest

from tests.engines.toys import Toy, ignore_item_progress
from virst_cli.engines import open_engine
from virst_cli.errors import UsageError


def test_items_are_done_in_order_by_one_worker_that_is_made_once(tmp_path: Path):
    reported: list[tuple[object, ...]] = []
    results = open_engine("local", device="cpu").map(Toy(tmp_path), ["a", "b"], lambda *progress: reported.append(progress))
    assert not list(tmp_path.iterdir()), "no worker is made before the first result is requested"
    assert [(index, did.item, did.pid, did.device) for index, did in results if not isinstance(did, Exception)] == [
        (0, "a", os.getpid(), "cpu"),
        (1, "b", os.getpid(), "cpu"),
    ]
    assert reported == [(0, "work", 1, 2), (1, "work", 1, 2)]
    assert len(list(tmp_path.glob("made-*"))) == 1


def test_an_error_of_the_work_ends_it(tmp_path: Path):
    results = open_engine("local", device="cpu").map(Toy(tmp_path), ["a", "raises", "b"], ignore_item_progress)
    next(results)
    with pytest.raises(UsageError, match="this is wrong"):
        next(results)


@pytest.mark.parametrize(("options", "option"), [({"workers": 2}, "--workers 2"), ({"ray_address": "x:1"}, "--ray-address x:1")])
def test_options_for_a_cluster_are_refused_without_one(options: dict[str, object], option: str):
    with pytest.raises(UsageError, match=f"{option} is for a cluster; add --engine ray"):
        open_engine("local", device="cpu", **options)  # type: ignore[arg-type]


def test_an_unknown_engine_is_refused():
    with pytest.raises(UsageError, match="--engine spark does not exist; choose local or ray"):
        open_engine("spark", device="cpu")
