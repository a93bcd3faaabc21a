"""--max-memory: how sizes are parsed, and the error for a limit that is too low."""

from pathlib import Path

import pytest
import typer

from tests.commands.conftest import Virst
from virst_cli.commands.option_values import parse_size


@pytest.mark.parametrize(
    ("text", "size_of_it"),
    [("4GB", 4 * 10**9), ("4g", 4 * 10**9), ("4 GiB", 2**32), ("3.5G", 3_500_000_000), ("900mb", 9 * 10**8), ("123", 123)],
)
def test_sizes_are_read_as_people_write_them(text: str, size_of_it: int):
    assert parse_size(text) == size_of_it


@pytest.mark.parametrize("text", ["", "GB", "four", "4TBB", "-1GB", "0", "1e9"])
def test_anything_else_is_refused(text: str):
    with pytest.raises(typer.BadParameter, match="write for example 4GB or 900MB"):
        parse_size(text)


def test_a_limit_that_is_too_low_is_one_line_and_exit_code_5_before_anything_is_written(
    clip: Path, seeing: Path, virst: Virst, tmp_path: Path
):
    done = virst("segment", clip, "the dog", "--model", seeing, "--device", "cpu", "--max-memory", "100MB")
    assert done.code == 5
    assert "--max-memory allows 100.0 MB" in done.error
    assert not list(tmp_path.glob("*.virst*"))


def test_a_limit_that_is_high_enough_changes_nothing(clip: Path, seeing: Path, virst: Virst, tmp_path: Path):
    for name, limit in (("one", []), ("two", ["--max-memory", "8GB"])):
        done = virst("segment", clip, "the dog", "--model", seeing, "--end", "0.4", "-q", "-o", name, *limit)
        assert done.code == 0, done.err
    one, two = ((tmp_path / name / "clip.virst" / "masks.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two
