"""virst doctor: what is well, what is not, and what to do about it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.conftest import Virst


def test_it_names_versions_device_memory_ffmpeg_disk_and_models(virst: Virst, own_home: None):
    done = virst("doctor", "--json")
    said = json.loads(done.out)
    assert (done.code, said["schema_version"], said["well"]) == (0, 1, True)
    topics = {finding["topic"]: finding for finding in said["findings"]}
    assert {"virst", "torch", "torchvision", "sam2", "device", "memory", "ffmpeg", "disk", "model virst-nano"} <= topics.keys()
    assert all(finding["trouble"] is None for finding in topics.values())
    assert "takes about" in topics["model virst-nano"]["found"]
    lines = virst("doctor").out.splitlines()
    assert len(lines) == len(topics)


def test_a_damaged_model_is_named_and_the_exit_code_says_so(virst: Virst, blind: Path, tmp_path: Path, own_home: None):
    folder = shutil.copytree(blind, tmp_path / "home" / "models" / "mine")
    (folder / "tokenizer.json").write_text("{}")
    done = virst("doctor")
    assert done.code == 1
    assert "! model mine" in done.out
    assert "tokenizer.json is damaged" in done.out


def test_an_ffmpeg_that_is_not_there_is_trouble(virst: Virst, own_home: None, monkeypatch: pytest.MonkeyPatch):
    done = virst("doctor", env={"IMAGEIO_FFMPEG_EXE": "/nowhere/ffmpeg"})
    assert done.code == 1
    assert "! ffmpeg" in done.out
