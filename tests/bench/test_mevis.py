"""MeViS from disk: what is there is read exactly, and what isn't there is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.models import Oracle, Silent
from virst_cli.bench import open_dataset, run_benchmark
from virst_cli.bench.datasets.mevis import MASKS, META, MevisSet
from virst_cli.errors import UsageError
from virst_cli.world import make_clip, write_mevis
from virst_cli.world.write_mevis import clip_key


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_mevis(tmp_path, videos=3, seed=5, size=(64, 48), frames=8)
    return tmp_path


def edit(path: Path, change: Callable[[Any], None]) -> None:
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def test_what_virst_world_wrote_reads_back_with_its_types(root: Path) -> None:
    for number, sample in enumerate(MevisSet(root)[i] for i in range(3)):
        clip = make_clip(np.random.default_rng(clip_key(5, number)), frames=8, size=(64, 48), sentences=6)
        assert sample.video == f"world{number:05d}"
        assert list(sample.frame_names) == [f"{t:05d}" for t in range(8)]
        assert [frame.shape for frame in sample.frames] == [(48, 64, 3)] * 8
        assert len(sample.frames[2:5]) == 3
        assert [(e.text, e.type) for e in sample.expressions] == [(s.text, s.type) for s in clip.sentences]
        for expression, sentence in zip(sample.expressions, clip.sentences, strict=True):
            for t, true in enumerate(clip.masks(sentence)):
                mask = expression.truth[t]
                assert np.array_equal(true, np.zeros_like(true) if mask is None else mask)


@pytest.mark.parametrize("place", ["", "mevis", "mevis/valid_u"])
def test_the_root_may_be_the_set_or_a_folder_around_it(root: Path, place: str) -> None:
    assert len(open_dataset("mevis", root / place)) == 3


def test_a_model_runs_over_it_by_type_and_without_baselines(root: Path) -> None:
    dataset = open_dataset("world", root)
    found = run_benchmark(dataset, Oracle(dataset), name="oracle").as_dict()
    assert (found["dataset"], found["scores"]["J&F"]) == ("world", 100.0)
    assert found["by_type"]
    assert "baselines" not in found


def test_expressions_without_types_have_no_groups(root: Path) -> None:
    def strip(table: Any) -> None:
        for video in table["videos"].values():
            for expression in video["expressions"].values():
                del expression["type"]

    edit(root / "mevis" / "valid_u" / META, strip)
    found = run_benchmark(open_dataset("mevis", root), Silent(), name="silent").as_dict()
    assert found["by_type"] == {}
    assert "answered_empty" not in found


def test_a_missing_video_or_frame_is_listed_and_counts_as_zero(root: Path) -> None:
    pictures = root / "mevis" / "valid_u" / "JPEGImages"
    shutil.rmtree(pictures / "world00000")
    (pictures / "world00002" / "00003.jpg").unlink()
    (pictures / "world00002" / "00005.jpg").unlink()
    dataset = MevisSet(root)
    report = run_benchmark(dataset, Oracle(dataset), name="oracle")
    assert report.missing == ["world00000", "world00002/00003", "world00002/00005"]
    assert report.videos == 3
    assert {(row.video, row.j, row.f) for row in report.expression_scores} == {
        ("world00000", 0.0, 0.0),
        ("world00001", 1.0, 1.0),
        ("world00002", 0.0, 0.0),
    }


def test_a_damaged_frame_is_listed_and_the_other_videos_are_scored(root: Path) -> None:
    dataset = MevisSet(root)
    model = Oracle(dataset)
    (root / "mevis" / "valid_u" / "JPEGImages" / "world00001" / "00004.jpg").write_bytes(b"no picture")
    report = run_benchmark(dataset, model, name="oracle")
    (line,) = report.missing
    assert line.startswith("world00001: ")
    assert "00004.jpg" in line
    assert {(row.video, row.j) for row in report.expression_scores} == {
        ("world00000", 1.0),
        ("world00001", 0.0),
        ("world00002", 1.0),
    }


def test_an_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"mevis, .*, world"):
        open_dataset("imagenet")


def test_annotations_without_masks_are_named_when_the_set_is_opened(root: Path) -> None:
    table = json.loads((root / "mevis" / "valid_u" / META).read_text())["videos"]["world00001"]["expressions"]
    key, anno = next((key, e["anno_id"][0]) for key, e in table.items() if e["anno_id"])
    edit(root / "mevis" / "valid_u" / MASKS, lambda masks: masks.pop(str(anno)))
    with pytest.raises(UsageError, match=f"world00001/{key}: annotation {anno}"):
        MevisSet(root)


def test_a_damaged_mask_names_its_video_expression_and_frame(root: Path) -> None:
    def damage(masks: Any) -> None:
        for row in masks.values():
            row[3] = {"size": [48, 64], "counts": "1"}

    edit(root / "mevis" / "valid_u" / MASKS, damage)
    with pytest.raises(UsageError, match=r"world0000\d/\d, frame 3"):
        run_benchmark(MevisSet(root), Silent(), name="silent")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"videos": {"v": {}}}', '{"videos": {"v": {"frames": [], "expressions": {}}}}', '{"videos": 1}'],
)
def test_a_table_of_another_form_is_refused(root: Path, text: str) -> None:
    (root / "mevis" / "valid_u" / META).write_text(text)
    with pytest.raises(UsageError, match="meta_expressions"):
        MevisSet(root)
