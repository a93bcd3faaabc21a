"""Published files are open only while their tensors are used: what was touched of a mapped file counts as memory."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.goldens_config import CHECKPOINT
from virst_cli.checkpoints.tensor_names import CheckpointTensors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there can a process see what it has mapped")


def mapped(folder: Path) -> bool:
    return str(folder.resolve()) in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize(
    ("opened", "path"),
    [
        (CheckpointTensors.virst, "virst_checkpoint.pt"),
        (CheckpointTensors.sam2, "sam2_base.pt"),
        (CheckpointTensors.base, "videochat_base"),
    ],
)
def test_a_file_is_mapped_while_a_tensor_of_it_lives(opened, path, tmp_path):
    """A copy, for other tests may still hold the original."""
    copy = shutil.copytree if (CHECKPOINT / path).is_dir() else shutil.copy
    source = opened(Path(copy(CHECKPOINT / path, tmp_path / path)))
    assert not mapped(tmp_path)
    assert all(tensor.is_meta for tensor in source.tensors.values())
    name = next(iter(source.tensors))
    tensors = source.read([name, "language_model.layers.99.mlp.weight"])
    assert mapped(tmp_path)
    assert tensors.keys() == {name}
    assert tensors[name].shape == source.tensors[name].shape
    del tensors
    assert not mapped(tmp_path)
