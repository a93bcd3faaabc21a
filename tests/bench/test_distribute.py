"""A data set on many workers: the same masks as on one, whoever made them, and a worker that dies costs a video only."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from virst_cli.bench import open_store, run_benchmark
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.distribute import StoreWorker, fill
from virst_cli.engines.local import LocalEngine
from virst_cli.errors import VirstError

WORLD = WorldSet(videos=3, frames=8, seed=4)
MADE_BY = {"model": {"name": "bright"}, "settings": {}}


class Bright:
    """A model that finds whatever is bright."""

    def segment_frames(self, frames: Sequence[np.ndarray], sentences: Sequence[str]) -> Any:
        return (np.repeat(frame.mean(axis=2)[None] > 160, len(sentences), axis=0) for frame in frames)


class Mortal:
    """An engine whose workers die over the second video."""

    def map(self, make: Any, items: Sequence[Any], tell: Any) -> Generator[tuple[int, Any], None, None]:
        yield from LocalEngine("cpu").map(make, items[:1], tell)
        yield 1, VirstError("its worker died")
        yield 2, make("cpu")(items[2], lambda *at: None)


def bright(device: str) -> Bright:
    return Bright()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def test_what_workers_fill_is_scored_like_what_one_made(tmp_path: Path):
    store, heard = open_store(tmp_path / "spread", WORLD, MADE_BY), []
    fps = fill(StoreWorker(WORLD, bright, store), LocalEngine("cpu"), progress=lambda *at: heard.append(at))
    assert fps is not None
    assert fps > 0
    assert heard == [(1, 3), (2, 3), (3, 3)]
    alone = open_store(tmp_path / "alone", WORLD, MADE_BY)
    expected = run_benchmark(WORLD, Bright(), name="bright", store=alone).as_dict()["scores"]
    assert run_benchmark(WORLD, Bright(), name="bright", store=store).as_dict()["scores"] == expected
    assert tree(store) == tree(alone)
    assert fill(StoreWorker(WORLD, bright, store), LocalEngine("cpu"), progress=lambda *at: None) is None  # all is there


def test_a_video_over_which_workers_die_is_named_when_the_others_are_done(tmp_path: Path):
    store = open_store(tmp_path / "spread", WORLD, MADE_BY)
    with pytest.raises(VirstError, match=r"^world00001: its worker died$"):
        fill(StoreWorker(WORLD, bright, store), Mortal(), progress=lambda *at: None)
    assert {path.name for path in store.iterdir() if path.is_dir()} == {"world00000", "world00002"}
