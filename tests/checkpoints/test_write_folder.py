"""A model folder appears whole or not at all: killed, disturbed, or out of disk."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.commands.running import ROOT, environment
from tests.goldens_config import convert_goldens
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.checkpoints.write_folder import FolderWriter
from virst_cli.errors import DiskFull, OutputError


def test_an_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        convert_goldens(tmp_path / "out")


def test_what_a_killed_conversion_left_is_removed(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "old.safetensors").touch()
    convert_goldens(tmp_path / "out")
    ModelFolder.open(tmp_path / "out").verify()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_conversion_leaves_nothing(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        convert_goldens(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_too_little_disk_space_is_reported_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(DiskFull, match=r"needs \d\.\d\d GB, but 0\.00 GB are free"):
        convert_goldens(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_two_at_once_do_not_mix(tmp_path, monkeypatch):
    """A second conversion to the same place begins while the first one writes."""
    write = FolderWriter.write_shard
    refused: list[str] = []

    def with_company(writer, *given):
        if not refused:
            refused.append("")
            with pytest.raises(OutputError) as caught:
                convert_goldens(tmp_path / "out")
            refused[0] = str(caught.value)
        write(writer, *given)

    monkeypatch.setattr(FolderWriter, "write_shard", with_company)
    convert_goldens(tmp_path / "out")
    assert "another virst process is writing to" in refused[0]
    ModelFolder.open(tmp_path / "out").verify()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (tmp_path / "out" / ".lock").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.goldens_config import convert_goldens
from virst_cli.checkpoints.write_folder import FolderWriter

write = FolderWriter.write_shard

def until_the_third(writer, name, *given):
    write(writer, name, *given)
    if name == "layer-00":
        os.kill(os.getpid(), signal.SIGKILL)

FolderWriter.write_shard = until_the_third
convert_goldens(Path(sys.argv[1]))
"""


def test_a_killed_conversion_leaves_nothing_under_the_name_and_the_next_one_works(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], cwd=ROOT, env=environment({}))
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"]
    convert_goldens(tmp_path / "out")
    ModelFolder.open(tmp_path / "out").verify()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
