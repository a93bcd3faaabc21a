"""What all tests share: a model folder with random weights (its answers mean nothing), and a home of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are shared out already; threads of both workers would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, or one worker would be left alone with them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """virst-nano's shape with random weights, as a model folder: for tests of everything but the answers.

    Without the rule that only sure answers are shown: random weights are sure of nothing. In chunks as published, so that
    frames are tracked.
    """
    from dataclasses import replace

    import torch

    from virst_cli.checkpoints.write_folder import new_model_folder
    from virst_cli.model.config import VIRST_NANO
    from virst_cli.model.virst import Virst
    from virst_cli.tracking.frame_selection import PUBLISHED_CHUNK
    from virst_cli.training.vocabulary import word_tokenizer
    from virst_cli.world import vocabulary

    torch.manual_seed(1)
    config = replace(VIRST_NANO, segmentation=replace(VIRST_NANO.segmentation, present_from=None, chunk=PUBLISHED_CHUNK))
    folder = tmp_path_factory.mktemp("models") / "random"
    with new_model_folder(folder) as writer:
        writer.write_shard("model", {name: value.clone() for name, value in Virst(config).state_dict().items()})
        writer.finish(config, word_tokenizer(vocabulary()), {"weights": "random"})
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests neither see nor change the models of this machine's user."""
    monkeypatch.setenv("VIRST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return
