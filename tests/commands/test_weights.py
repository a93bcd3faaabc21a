"""virst weights: listing, checking, importing and removing models."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.conftest import Virst


@pytest.fixture
def installed(blind: Path, tmp_path: Path, own_home: None) -> Path:
    """A model that was imported as `mine`."""
    return shutil.copytree(blind, tmp_path / "home" / "models" / "mine")


def test_list_says_name_size_and_place(installed: Path, virst: Virst):
    (line, *_) = virst("weights", "list").out.splitlines()
    assert line.split("\t")[0] == "mine"
    assert line.endswith(str(installed))
    answer = json.loads(virst("weights", "list", "--json").out)
    assert answer["schema_version"] == 1
    assert answer["models"][0]["bytes"] == sum(path.stat().st_size for path in installed.iterdir())


def test_path_prints_the_folder_and_nothing_else(installed: Path, virst: Virst):
    assert virst("weights", "path", "mine").out == f"{installed}\n"


def test_verify_names_the_damaged_file(installed: Path, virst: Virst):
    assert virst("weights", "verify", "mine").code == 0
    (installed / "tokenizer.json").write_text("{}")
    done = virst("weights", "verify", "mine")
    assert done.code == 4
    assert "tokenizer.json" in done.error


def test_rm_needs_yes(installed: Path, virst: Virst):
    refused = virst("weights", "rm", "mine")
    assert (refused.code, "--yes" in refused.error, installed.exists()) == (2, True, True)
    assert virst("weights", "rm", "mine", "--yes").code == 0
    assert not installed.exists()


@pytest.mark.parametrize("name", ["..", "../models/mine", "/", ".hidden"])
def test_rm_never_leaves_the_folder_of_models(name: str, installed: Path, virst: Virst):
    assert virst("weights", "rm", name, "--yes").code == 2
    assert installed.exists()


def test_import_refuses_a_name_that_is_taken(installed: Path, virst: Virst):
    done = virst("weights", "import", "a.pt", "--base", "b", "--sam2", "c.pt", "--name", "mine")
    assert done.code == 2
    assert "virst weights rm mine" in done.error


def test_import_of_files_that_are_not_there_is_exit_code_4(virst: Virst):
    done = virst("weights", "import", "a.pt", "--base", "b", "--sam2", "c.pt")
    assert done.code == 4
    assert "a.pt" in done.error


def test_import_without_parts_says_how_to_get_them(virst: Virst, tmp_path: Path):
    (tmp_path / "a.pt").touch()
    done = virst("weights", "import", "a.pt", "--sam2", "c.pt")
    assert done.code == 4
    assert "virst weights pull virst-7b" in done.error
    assert "--base" in done.error


def test_a_dry_run_of_rm_removes_nothing(installed: Path, virst: Virst):
    done = virst("weights", "rm", "mine", "--dry-run")
    assert done.code == 0
    assert f"would remove {installed} (" in done.err
    assert installed.exists()


def test_what_comes_with_the_tool_is_not_pulled_and_not_removed(virst: Virst):
    assert "comes with the tool" in virst("weights", "pull", "virst-nano").err
    assert virst("weights", "rm", "virst-nano", "--yes").code == 4


def test_segment_says_which_model_it_takes_and_why(installed: Path, clip: Path, virst: Virst):
    done = virst("segment", clip, "the red ball", "--end", "0.2")
    assert f"model: mine, the largest of 2 here ({installed})" in done.err
