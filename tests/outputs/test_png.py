"""A folder of masks is complete, or it does not exist."""

import numpy as np
import pytest
from PIL import Image

from virst_cli.outputs.png import PngFolder


def pictures(folder):
    return {file.name: np.asarray(Image.open(file)) for file in sorted(folder.iterdir())}


def write(folder, values):
    with PngFolder(folder) as writer:
        for value in values:
            assert folder.name + ".partial" in [path.name for path in folder.parent.iterdir()]
            writer.write(np.full((479, 853), value, np.uint8), 0.0)


def test_masks_are_grey_pictures_numbered_from_zero(tmp_path):
    write(tmp_path / "dog", [0, 255])
    made = pictures(tmp_path / "dog")
    assert list(made) == ["00000.png", "00001.png"]
    with Image.open(tmp_path / "dog" / "00001.png") as picture:
        assert picture.mode == "L"
    assert made["00001.png"].shape == (479, 853)
    assert [int(picture.max()) for picture in made.values()] == [0, 255]


def test_an_older_folder_is_replaced_as_a_whole(tmp_path):
    write(tmp_path / "dog", [0, 0, 0])
    write(tmp_path / "dog", [255])
    assert list(pictures(tmp_path / "dog")) == ["00000.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["dog"]


def test_an_exception_leaves_the_older_folder_and_nothing_else(tmp_path):
    write(tmp_path / "dog", [0, 0, 0])

    def cut_off():
        with PngFolder(tmp_path / "dog") as writer:
            writer.write(np.zeros((4, 4), np.uint8), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert len(pictures(tmp_path / "dog")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["dog"]


def test_files_that_a_killed_run_left_are_deleted(tmp_path):
    (tmp_path / "dog.partial").mkdir()
    (tmp_path / "dog.partial" / "00007.png").touch()
    write(tmp_path / "dog", [0])
    assert list(pictures(tmp_path / "dog")) == ["00000.png"]


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "dog").symlink_to(tmp_path / "precious")
    write(tmp_path / "dog", [0])
    assert (tmp_path / "precious" / "file").exists()
    assert not (tmp_path / "dog").is_symlink()
