"""Files are replaced in one step, also when two processes write the same one."""

import errno
import os
import subprocess
import sys

import pytest

from virst_cli.files.atomic import is_disk_full, partial, replacing, write_text

WRITE_FOR_A_WHILE = """
import sys
from pathlib import Path
from virst_cli.files.atomic import write_text
for _ in range(200):
    write_text(Path(sys.argv[1]), sys.argv[2] * 10000, shared=True)
"""


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    for text in ("one", "two"):
        write_text(tmp_path / "a", text)
        assert (tmp_path / "a").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(shared, tmp_path):
    def interrupted():
        with replacing(tmp_path / "a", shared=shared) as new:
            new.write_text("half of the n")
            raise KeyboardInterrupt

    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_only_a_shared_file_is_written_under_a_name_with_the_process_id(tmp_path):
    with replacing(tmp_path / "a") as alone, replacing(tmp_path / "b", shared=True) as together:
        assert alone == partial(tmp_path / "a")  # what a killed process left is found by its name
        assert together.name == f"b.{os.getpid()}.partial"
        for path in (alone, together):
            path.touch()


def test_two_processes_that_write_the_same_file_do_not_mix(tmp_path):
    command = [sys.executable, "-c", WRITE_FOR_A_WHILE, str(tmp_path / "a")]
    writers = [subprocess.Popen([*command, letter]) for letter in "xy"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "a").exists():
            seen.add((tmp_path / "a").read_text())
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {"x" * 10000, "y" * 10000}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_recognised_from_the_error_and_from_its_text(code):
    assert is_disk_full(OSError(code, os.strerror(code)))
    assert is_disk_full(f"ffmpeg: {os.strerror(code)}")
    assert not is_disk_full(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
