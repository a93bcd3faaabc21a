"""Sizes from headers are those of the tensors."""

from pathlib import Path

import pytest
import torch

from virst_cli.checkpoints.convert import tensor_shapes
from virst_cli.checkpoints.sizes import Sizes
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.errors import WeightsError


def test_the_parts_of_a_model_are_as_large_as_their_tensors(converted: ModelFolder):
    shapes = tensor_shapes(converted.config)

    def numbers(prefix: str) -> int:
        return sum(torch.Size(shape).numel() for name, shape in shapes.items() if name.startswith(prefix))

    sizes = Sizes.of(converted.path)
    assert sizes == Sizes(numbers("vision."), numbers("fusion."), numbers("language_model."), numbers("language_model.layers.0."))
    assert sizes.total == numbers("")


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, (10**12).to_bytes(8, "little"), b"\x02\0\0\0\0\0\0\0[]"])
def test_a_file_without_tensors_is_named(content: bytes, tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.safetensors can't be read"):
        Sizes.of(tmp_path)
