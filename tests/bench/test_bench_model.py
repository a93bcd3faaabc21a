"""What is recorded about a model names the device that it ran on; its name and its choice need no device."""

import pickle
from pathlib import Path

import pytest
import torch

from virst_cli.bench.bench_model import BenchModel
from virst_cli.checkpoints.registry import EMBEDDED
from virst_cli.machine import devices


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> torch.device:
        raise AssertionError(f"{name} was opened")

    monkeypatch.setattr(devices, "resolve_device", refuse)


def test_a_gpu_is_recorded_by_its_product_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights are loaded before the first frame, so a model on a GPU can be described without one."""
    monkeypatch.setattr("virst_cli.segmenter.load.resolve_device", torch.device)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"NVIDIA A100 number {device.index}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**34, 2**35))
    opened = BenchModel(EMBEDDED).open("cuda:1")
    assert opened.made_by["settings"]["device"] == "cuda (NVIDIA A100 number 1)"
    assert opened.made_by["settings"]["dtype"] == "bfloat16"
    assert opened.name == EMBEDDED
    assert "model.safetensors" in opened.made_by["model"]["sha256"]


def test_a_choice_of_model_has_a_name_and_travels_without_opening_a_device(no_device: None) -> None:
    chosen = BenchModel(EMBEDDED, dtype="float32", as_published=True)
    assert chosen.name == EMBEDDED
    assert pickle.loads(pickle.dumps(chosen.for_workers())) == chosen


def test_workers_get_a_folder_by_its_absolute_path(no_device: None, random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(random_model.parent)
    assert BenchModel(random_model.name).for_workers().model == str(random_model)
