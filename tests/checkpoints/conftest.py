"""The golden set's published files, converted, and variants of its checkpoint."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.goldens_config import CHECKPOINT, convert_goldens
from virst_cli.checkpoints.weights import ModelFolder


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The golden model with its first fusion. Not to be changed."""
    path = tmp_path_factory.mktemp("converted") / "golden"
    convert_goldens(path)
    return ModelFolder.open(path)


@pytest.fixture
def copy(converted: ModelFolder, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(converted.path, tmp_path / "copy"))


@pytest.fixture
def published() -> dict[str, Tensor]:
    """The tensors of the golden checkpoint, by their published names."""
    content = torch.load(CHECKPOINT / "virst_checkpoint.pt", weights_only=True)
    return dict(content["model_state_dict"])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """checkpoint(entries) -> a file as the published code saves it."""

    def saved(entries: dict[str, Any]) -> Path:
        path = tmp_path / "virst_checkpoint.pt"
        torch.save({"model_state_dict": entries, "epoch": 3}, path)
        return path

    return saved
