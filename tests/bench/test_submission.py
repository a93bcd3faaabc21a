"""A submission is just what its server takes, and whole, or it is not there."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bench.layouts import HEIGHT, NAMES, WIDTH, WRITERS, answer
from virst_cli.bench import check_submission, open_dataset, write_submission
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.errors import VirstError

BEFORE = {"mevis-test": "", "ref-youtube-vos": "Annotations/"}


@pytest.mark.parametrize("name", BEFORE)
def test_it_holds_every_mask_where_the_server_looks_and_nothing_else(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(name, WRITERS[name](tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    (masks / "run.json").write_text("{}")
    (masks / dataset[0].video / "0" / "notes.txt").write_text("not a mask")
    write_submission(dataset, masks, tmp_path / "answer.zip")
    with zipfile.ZipFile(tmp_path / "answer.zip") as archive:
        wanted = {
            f"{BEFORE[name]}{dataset[video].video}/{expression.id}/{frame}.png"
            for video in range(2)
            for expression in dataset[video].expressions
            for frame in NAMES
        }
        assert set(archive.namelist()) == wanted
        assert len(archive.namelist()) == len(wanted)
        for entry in wanted:
            source = masks / entry.removeprefix(BEFORE[name])
            assert archive.read(entry) == source.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.zip", "data", "masks"]


def test_masks_in_another_form_are_written_as_servers_want_them(tmp_path: Path) -> None:
    dataset = open_dataset("ref-youtube-vos", WRITERS["ref-youtube-vos"](tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    truth = {path: np.asarray(Image.open(path)) for path in masks.rglob("*.png")}
    for number, (path, mask) in enumerate(truth.items()):
        forms = [Image.fromarray(mask // 255), Image.fromarray(mask).convert("RGB"), Image.fromarray(mask // 255).convert("P")]
        forms[number % 3].save(path)
    write_submission(dataset, masks, tmp_path / "answer.zip")
    with zipfile.ZipFile(tmp_path / "answer.zip") as archive:
        for path, mask in truth.items():
            with archive.open(f"Annotations/{path.relative_to(masks)}") as file, Image.open(file) as picture:
                assert (picture.mode, picture.size) == ("L", (WIDTH, HEIGHT))
                assert np.array_equal(np.asarray(picture), mask)


def test_the_same_masks_make_the_same_file(tmp_path: Path) -> None:
    dataset = open_dataset("mevis-test", WRITERS["mevis-test"](tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    for name in ("one.zip", "two.zip"):
        write_submission(dataset, masks, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "no picture", "another size"])
def test_a_mask_that_is_no_good_leaves_no_file(damage: str, tmp_path: Path) -> None:
    dataset = open_dataset("mevis-test", WRITERS["mevis-test"](tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    victim = masks / dataset[1].video / "0" / f"{NAMES[-1]}.png"
    if damage == "missing":
        victim.unlink()
    elif damage == "no picture":
        victim.write_bytes(b"no picture")
    else:
        Image.new("L", (WIDTH, HEIGHT + 1)).save(victim)
    with pytest.raises(VirstError, match=f"{NAMES[-1]}"):
        write_submission(dataset, masks, tmp_path / "answer.zip")
    assert not [path for path in tmp_path.iterdir() if "answer" in path.name]


def test_what_cannot_work_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    hidden = open_dataset("mevis-test", WRITERS["mevis-test"](tmp_path / "data"))
    with pytest.raises(VirstError, match="world has no server"):
        check_submission(WorldSet(), tmp_path / "answer.zip")
    with pytest.raises(VirstError, match="is not a folder"):
        check_submission(hidden, tmp_path / "nowhere" / "answer.zip")
    (tmp_path / "answer.zip").write_text("an older one")
    with pytest.raises(VirstError, match="already"):
        check_submission(hidden, tmp_path / "answer.zip")
