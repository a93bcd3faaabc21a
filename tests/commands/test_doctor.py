"""virst doctor: what it checks, and what it reports if something is wrong."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.conftest import Virst
from tests.video.making import FAST, Maker
from virst_cli.stages import MODEL_STAGES


def test_it_names_versions_device_memory_ffmpeg_disk_and_models(virst: Virst, own_home: None):
    done = virst("doctor", "--json")
    answer = json.loads(done.out)
    assert (done.code, answer["schema_version"], answer["well"]) == (0, 1, True)
    topics = {finding["topic"]: finding for finding in answer["findings"]}
    assert {"virst", "torch", "torchvision", "sam2", "device", "memory", "ffmpeg", "disk", "model virst-nano"} <= topics.keys()
    assert all(finding["trouble"] is None for finding in topics.values())
    assert len(topics) == len(answer["findings"])


def test_it_says_what_each_stage_takes_with_each_model_as_a_dry_run_does(
    virst: Virst, blind: Path, tmp_path: Path, own_home: None
):
    for name in ("mine", "yours"):
        shutil.copytree(blind, tmp_path / "home" / "models" / name)
    takes = {finding["topic"]: finding["takes"] for finding in json.loads(virst("doctor", "--json").out)["findings"]}
    models = {topic for topic, cost in takes.items() if cost}
    assert models == {"model mine", "model yours", "model virst-nano"}
    assert takes["model mine"] == takes["model yours"]  # the machine's speed is measured once
    for topic in models:
        cost = takes[topic]
        assert list(cost["memory_by_stage"]) == ["look", "reason", "fuse", "anchor", "propagate"]
        assert list(cost["seconds_by_stage"]) == [*cost["memory_by_stage"], "write"]
        assert cost["memory_bytes"] == max(cost["memory_by_stage"].values())
        assert cost["seconds"] == pytest.approx(sum(cost["seconds_by_stage"].values()), abs=0.01)
        assert min(cost["seconds_by_stage"].values()) > 0
    source = ("-f", "lavfi", "-i", "color=size=1280x720:rate=24", "-frames:v", "240")
    video = Maker(tmp_path)("example.mp4", *source, *FAST)
    dry = json.loads(virst("segment", video, "the dog that jumps last", "--model", "mine", "--dry-run", "--json").out)
    for name in ("memory_by_stage", "disk_bytes"):
        assert takes["model mine"][name] == dry[name]


def test_each_model_has_a_line_for_memory_and_disk_and_one_for_time(virst: Virst, own_home: None):
    lines = virst("doctor").out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  model virst-nano"))
    assert "10 s of 1280x720, 240 frames" in lines[at - 1]
    memory, time = lines[at + 1 :]
    assert memory.strip().startswith("memory: about ") and "; disk: about " in memory
    assert time.strip().startswith("time: about ")
    for stage in MODEL_STAGES:
        assert f"{stage} " in memory and f"{stage} " in time


def test_a_damaged_model_is_named_and_the_exit_code_says_so(virst: Virst, blind: Path, tmp_path: Path, own_home: None):
    folder = shutil.copytree(blind, tmp_path / "home" / "models" / "mine")
    (folder / "tokenizer.json").write_text("{}")
    done = virst("doctor")
    assert done.code == 1
    assert "! model mine" in done.out
    assert "tokenizer.json is damaged" in done.out


def test_a_missing_ffmpeg_is_a_problem(virst: Virst, own_home: None, monkeypatch: pytest.MonkeyPatch):
    done = virst("doctor", env={"IMAGEIO_FFMPEG_EXE": "/nowhere/ffmpeg"})
    assert done.code == 1
    assert "! ffmpeg" in done.out
