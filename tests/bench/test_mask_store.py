"""A folder of masks that a model fills: whole or not there, gone on from, and never mixed with another's."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pictures

from tests.bench import layouts
from tests.bench.layouts import FRAMES, HEIGHT, NAMES, VIDEOS, WIDTH, WRITERS
from tests.bench.models import Bright, Silent
from virst_cli.bench import Dataset, open_dataset, open_store, run_benchmark, score_predictions
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.samples import Image
from virst_cli.errors import OutputError
from virst_cli.files.lock import Lock

FIRST, SECOND = VIDEOS
MADE_BY: dict[str, Any] = {"model": {"name": "bright", "sha256": {"model.safetensors": "12"}}, "settings": {"faithful": True}}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return open_dataset("mevis", layouts.mevis(tmp_path / "data"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The data set's own folder."""
    return tmp_path / "data" / "mevis" / "valid_u"


@pytest.fixture
def folder(dataset: Dataset, tmp_path: Path) -> Path:
    return opened(tmp_path / "out" / "masks", dataset)


def opened(folder: Path, dataset: Dataset, *, resume: bool = True) -> Path:
    return open_store(folder, dataset, MADE_BY, resume=resume)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Dying(Bright):
    """Breaks off in the middle of its second video, as a process that is stopped."""

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        for t, masks in enumerate(super().segment_frames(frames, sentences)):
            if len(self.calls) == 2 and t == 2:
                raise KeyboardInterrupt
            yield masks


@pytest.mark.parametrize("name", WRITERS)
def test_masks_are_kept_in_the_published_layout_and_score_alike_from_there(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(name, WRITERS[name](tmp_path / "data"))
    folder = opened(tmp_path / "masks", dataset)
    report = run_benchmark(dataset, Bright(), name="bright", store=folder)
    wanted = {
        f"{sample.folder(expression)}/{frame}.png"
        for sample in (dataset[i] for i in range(2))
        for expression in sample.expressions
        for frame in sample.frame_names
    }
    assert set(contents(folder)) == wanted | {"run.json"}
    with Pictures.open(folder / min(wanted)) as picture:
        assert (picture.mode, picture.size) == ("L", (WIDTH, HEIGHT))
        assert set(np.unique(np.asarray(picture))) == {0, 255}
    again = score_predictions(dataset, folder)
    assert (again.expression_scores, again.standard) == (report.expression_scores, report.standard)
    assert (again.missing, again.extra) == ([], [])


def test_a_stopped_run_goes_on_with_what_is_left_and_gives_the_same_masks(dataset: Dataset, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(dataset, Dying(), name="bright", store=folder)
    left = contents(folder)
    assert len(left) == 1 + 3 * FRAMES  # the first video; of the second there is nothing
    assert not list(folder.rglob("*.partial")) and not list(folder.rglob(".lock"))
    model = Bright()
    report = run_benchmark(dataset, model, name="bright", store=opened(folder, dataset))
    assert len(model.calls) == 1
    whole = opened(folder.parent / "whole", dataset)
    assert run_benchmark(dataset, Bright(), name="bright", store=whole).expression_scores == report.expression_scores
    assert contents(whole) == contents(folder)
    assert left.items() <= contents(folder).items()


def test_a_finished_run_asks_the_model_nothing_more(dataset: Dataset, folder: Path) -> None:
    first = run_benchmark(dataset, Bright(), name="bright", store=folder)
    model = Bright()
    again = run_benchmark(dataset, model, name="bright", store=opened(folder, dataset))
    assert model.calls == []
    assert again.expression_scores == first.expression_scores
    assert (again.fps, again.missing) == (None, [])


def test_only_sentences_that_lack_a_mask_are_asked_again_and_all_in_one_call(dataset: Dataset, folder: Path) -> None:
    first = run_benchmark(dataset, Bright(), name="bright", store=folder)
    before = contents(folder)
    shutil.rmtree(folder / SECOND / "0")
    (folder / SECOND / "2" / f"{NAMES[1]}.png").unlink()
    (folder / FIRST / "1.partial").mkdir()  # of a run that was killed
    model = Bright()
    assert (
        run_benchmark(dataset, model, name="bright", store=opened(folder, dataset)).expression_scores == first.expression_scores
    )
    assert model.calls == [["sentence 0", "sentence 2"]]
    assert contents(folder) == before


def test_shards_fill_one_folder_from_which_the_whole_is_scored(dataset: Dataset, folder: Path) -> None:
    parts = [run_benchmark(dataset, Bright(), name="bright", store=opened(folder, dataset), shard=(i, 2)) for i in (1, 2)]
    model = Bright()
    whole = run_benchmark(dataset, model, name="bright", store=opened(folder, dataset))
    assert model.calls == []
    assert [row for part in parts for row in part.expression_scores] == list(whole.expression_scores)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": {"name": "bright", "sha256": {"model.safetensors": "13"}}}, "another model;"),
        ({"settings": {"faithful": False}}, r"other settings \(faithful True, not False\);"),
        ({"model": None, "settings": None}, "of another model and made with other settings;"),
    ],
    ids=str,
)
def test_masks_of_another_model_or_setting_are_never_used(
    changed: dict[str, Any], message: str, dataset: Dataset, folder: Path
) -> None:
    run_benchmark(dataset, Bright(), name="bright", store=folder)
    before = contents(folder)
    with pytest.raises(OutputError, match=f"{message}.*--output.*--overwrite"):
        open_store(folder, dataset, {**MADE_BY, **changed})
    assert contents(folder) == before
    open_store(folder, dataset, {**MADE_BY, **changed}, resume=False)
    assert set(contents(folder)) == {"run.json"}


def test_masks_of_other_sentences_are_never_used(dataset: Dataset, folder: Path, home: Path) -> None:
    meta = home / "meta_expressions.json"
    meta.write_text(meta.read_text().replace("sentence 2", "another sentence"))
    with pytest.raises(OutputError, match="another data set"):
        opened(folder, open_dataset("mevis", home))


def test_masks_of_other_frames_are_never_used_but_a_video_without_masks_may_be_completed(
    dataset: Dataset, folder: Path, home: Path
) -> None:
    frame = home / "JPEGImages" / SECOND / f"{NAMES[0]}.jpg"
    good = frame.read_bytes()
    frame.unlink()
    assert run_benchmark(open_dataset("mevis", home), Bright(), name="bright", store=folder).missing == [f"{SECOND}/{NAMES[0]}"]
    frame.write_bytes(good)
    whole = open_dataset("mevis", home)
    model = Bright()
    assert run_benchmark(whole, model, name="bright", store=opened(folder, whole)).missing == []
    assert len(model.calls) == 1
    Pictures.new("RGB", (WIDTH, HEIGHT)).save(frame)
    with pytest.raises(OutputError, match=f"other frames of {SECOND};"):
        opened(folder, open_dataset("mevis", home))


def test_a_folder_with_something_else_in_it_is_left_alone(dataset: Dataset, tmp_path: Path) -> None:
    for note in (None, "{}", "[1]", "no json"):
        mine = tmp_path / f"mine {note}"
        mine.mkdir()
        (mine / "thesis.txt").write_text("years of work")
        if note is not None:
            (mine / "run.json").write_text(note)
        for resume in (True, False):
            with pytest.raises(OutputError, match="--output"):
                opened(mine, dataset, resume=resume)
        assert (mine / "thesis.txt").is_file()


def test_an_empty_folder_may_be_filled(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert json.loads((opened(tmp_path / "empty", dataset) / "run.json").read_text())["model"]["name"] == "bright"


def test_a_video_that_cannot_be_read_leaves_no_masks_and_is_tried_again(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    frame = tmp_path / "data" / "mevis" / "valid_u" / "JPEGImages" / SECOND / f"{NAMES[3]}.jpg"
    good = frame.read_bytes()
    frame.write_bytes(b"no picture")
    report = run_benchmark(dataset, Bright(), name="bright", store=folder)
    (line,) = report.missing
    assert line.startswith(f"{SECOND}: ")
    assert {row.video for row in report.expression_scores if row.j == 0.0} == {SECOND}
    assert len(contents(folder)) == 1 + 3 * FRAMES
    frame.write_bytes(good)
    model = Bright()
    assert run_benchmark(dataset, model, name="bright", store=folder).missing == []
    assert len(model.calls) == 1


def test_two_processes_never_fill_in_the_same_video(dataset: Dataset, folder: Path) -> None:
    (folder / FIRST).mkdir()
    with Lock(folder / FIRST), pytest.raises(OutputError, match="another virst process"):
        run_benchmark(dataset, Bright(), name="bright", store=folder)


def test_a_world_made_on_the_fly_can_be_kept_too(tmp_path: Path) -> None:
    world = WorldSet(videos=2, frames=4, size=(64, 48))
    folder = opened(tmp_path / "masks", world)
    first = run_benchmark(world, Silent(), name="silent", store=folder)
    assert run_benchmark(world, Silent(), name="silent", store=opened(folder, world)).expression_scores == first.expression_scores
    with pytest.raises(OutputError, match="another data set"):
        opened(folder, WorldSet(videos=2, frames=4, size=(64, 48), seed=1))
