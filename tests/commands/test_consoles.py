"""A console that lacks letters changes neither what a command does nor its exit code."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.running import cold

NAME = "犬.mp4"
ESCAPED = "\\u72ac"


@pytest.fixture
def console() -> dict[str, str]:
    """A Western European Windows console, as Python sees it."""
    return {"PYTHONIOENCODING": "cp1252:strict"}


def test_a_run_with_a_japanese_file_name_succeeds_and_its_paths_are_escaped(
    console: dict[str, str], clip: Path, seeing: Path, tmp_path: Path
):
    shutil.copy(clip, tmp_path / NAME)
    done = cold("segment", NAME, "犬", "--model", seeing, "--device", "cpu", cwd=tmp_path, env=console)
    assert done.code == 0, done.err
    assert f"{ESCAPED}.virst" in done.out
    assert (tmp_path / "犬.virst" / "run.json").is_file()


def test_json_is_ascii_where_the_console_lacks_letters(console: dict[str, str], clip: Path, seeing: Path, tmp_path: Path):
    shutil.copy(clip, tmp_path / NAME)
    done = cold("segment", NAME, "犬", "--model", seeing, "--dry-run", "--json", cwd=tmp_path, env=console)
    assert done.code == 0, done.err
    assert done.out.isascii()
    assert json.loads(done.out)["run"] == "犬.virst"


def test_an_error_stays_one_line(console: dict[str, str], tmp_path: Path):
    done = cold("segment", NAME, "the dog", cwd=tmp_path, env=console)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith(f"virst: error: {ESCAPED}.mp4: no such file")
