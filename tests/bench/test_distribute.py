"""A data set on many workers: the same masks as on one, made on the workers' devices; a dying worker costs only its video."""

import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench import layouts
from tests.bench.layouts import NAMES, VIDEOS
from virst_cli.bench import open_dataset, open_store, run_benchmark
from virst_cli.bench.bench_model import OpenedModel
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.distribute import run_on_engine
from virst_cli.bench.mask_store import read_run
from virst_cli.bench.samples import Dataset
from virst_cli.engines.local import LocalEngine
from virst_cli.errors import OutputError, UsageError, VirstError

WORLD = WorldSet(videos=3, frames=8, seed=4)
WORKER_DEVICE = "cuda"  # as a cluster of GPUs names it, whose head has no GPU


def made_by(dtype: str = "bfloat16") -> dict[str, Any]:
    return {"model": {"name": "bright"}, "settings": {"device": "cuda (NVIDIA A100)", "dtype": dtype}}


class Bright:
    """A model that finds whatever is bright."""

    def segment_frames(self, frames: Sequence[np.ndarray], sentences: Sequence[str]) -> Any:
        return (np.repeat(np.asarray(frame).mean(axis=2)[None] > 160, len(sentences), axis=0) for frame in frames)


@dataclass
class Cluster:
    """Two workers with a device that the head does not have; they take the videos in turn. dtypes: that they choose."""

    dtypes: Sequence[str] = ("bfloat16", "bfloat16")
    in_worker: bool = False

    def open_model(self, device: str) -> OpenedModel:
        if not (self.in_worker and device == WORKER_DEVICE):
            raise UsageError(f"device {device!r} can't be used here")
        return OpenedModel(Bright(), made_by(self.dtypes[self.opened % 2]))

    def map(self, make: Callable[[str], Any], items: Sequence[Any], on_progress: Any) -> Generator[tuple[int, Any], None, None]:
        workers = []
        for self.opened in range(2):
            self.in_worker = True
            workers.append(make(WORKER_DEVICE))
            self.in_worker = False
        for index in reversed(range(len(items))):
            self.in_worker = True
            result = workers[index % 2](items[index], lambda *progress: None)
            self.in_worker = False
            yield index, result


class DyingCluster(Cluster):
    """Its workers die over the second video."""

    def map(self, make: Callable[[str], Any], items: Sequence[Any], on_progress: Any) -> Generator[tuple[int, Any], None, None]:
        for index, result in super().map(make, [items[0], items[2]], on_progress):
            yield 2 * index, result
        yield 1, VirstError("its worker died")


def run(dataset: Dataset, store: Path, cluster: Cluster | None = None, **options: Any) -> dict[str, Any]:
    cluster = cluster or Cluster()
    return run_on_engine(dataset, cluster.open_model, cluster, store, **options).as_dict()


def masks(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def without_speed(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("fps", "peak_memory_bytes")}


def test_a_run_on_workers_is_a_run_here_with_all_its_baselines(tmp_path: Path):
    progress: list[tuple[int, int]] = []
    report = run(WORLD, tmp_path / "spread", on_videos=lambda *done: progress.append(done))
    assert report["fps"] > 0
    assert progress == [(1, 3), (2, 3), (3, 3)]
    alone = open_store(tmp_path / "alone", WORLD, made_by())
    expected = run_benchmark(WORLD, Bright(), name="bright", store=alone).as_dict()
    assert "shuffled_sentence" in expected["baselines"]
    assert without_speed(report) == without_speed(expected)
    assert masks(tmp_path / "spread") == masks(alone)
    again = run(WORLD, tmp_path / "spread")
    assert again["fps"] is None  # all masks were there
    assert without_speed(again) == without_speed(expected)


def test_the_record_says_on_what_the_workers_ran_and_the_head_needs_no_such_device(tmp_path: Path):
    cluster = Cluster()
    with pytest.raises(UsageError, match="can't be used here"):
        cluster.open_model(WORKER_DEVICE)
    assert run(WORLD, tmp_path / "masks", cluster)["model"] == "bright"
    stored = read_run(tmp_path / "masks")
    assert (stored["model"], stored["settings"]) == (made_by()["model"], made_by()["settings"])


def test_workers_that_would_make_other_masks_do_not_fill_one_folder(tmp_path: Path):
    with pytest.raises(OutputError, match=r"dtype bfloat16, not float32"):
        run(WORLD, tmp_path / "masks", Cluster(dtypes=("bfloat16", "float32")))
    with pytest.raises(OutputError, match=r"dtype bfloat16, not float32.*--overwrite"):
        run(WORLD, tmp_path / "masks", Cluster(dtypes=("float32", "float32")))
    run(WORLD, tmp_path / "masks", Cluster(dtypes=("float32", "float32")), resume=False)
    assert read_run(tmp_path / "masks")["settings"]["dtype"] == "float32"


def test_a_folder_that_is_no_store_is_refused_before_a_worker_starts(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for resume in (True, False):
        cluster = Cluster()
        with pytest.raises(OutputError, match="does not hold the masks of a benchmark"):
            run(WORLD, tmp_path / "mine", cluster, resume=resume)
        assert not hasattr(cluster, "opened")
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_what_workers_find_missing_is_listed_as_here(tmp_path: Path):
    root = layouts.mevis(tmp_path / "data")
    pictures = root / "mevis" / "valid_u" / "JPEGImages"
    (pictures / VIDEOS[0] / f"{NAMES[1]}.jpg").unlink()
    (pictures / VIDEOS[1] / f"{NAMES[2]}.jpg").write_bytes(b"damaged")
    dataset = open_dataset("mevis", root)
    here = run_benchmark(dataset, Bright(), name="bright", store=open_store(tmp_path / "alone", dataset, made_by())).as_dict()
    assert len(here["missing"]) == 2
    assert without_speed(run(dataset, tmp_path / "spread")) == without_speed(here)


def test_masks_that_do_not_arrive_in_this_folder_are_missing(tmp_path: Path):
    class Elsewhere(Cluster):
        """Its machines have another disk: the first video's masks are not here."""

        def map(
            self, make: Callable[[str], Any], items: Sequence[Any], on_progress: Any
        ) -> Generator[tuple[int, Any], None, None]:
            yield from super().map(make, items, on_progress)
            shutil.rmtree(tmp_path / "masks" / "world00000")

    report = run(WORLD, tmp_path / "masks", Elsewhere())
    (line,) = report["missing"]
    assert line.startswith("world00000: its masks are not in ") and line.endswith("do all machines see the same folder?")


def test_a_video_over_which_workers_die_is_named_when_the_others_are_done(tmp_path: Path):
    with pytest.raises(VirstError, match=r"^world00001: its worker died$"):
        run(WORLD, tmp_path / "masks", DyingCluster())
    assert {path.name for path in (tmp_path / "masks").iterdir() if path.is_dir()} == {"world00000", "world00002"}


def test_the_local_engine_will_do(tmp_path: Path):
    report = run_on_engine(
        WORLD, lambda device: OpenedModel(Bright(), made_by()), LocalEngine("cpu"), tmp_path / "masks", limit=2
    )
    assert (report.model, report.videos) == ("bright", 2)
