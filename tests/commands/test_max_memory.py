"""--max-memory: the error for a limit that is too low, and that a limit does not change the masks."""

from pathlib import Path

from tests.commands.conftest import Virst


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
