"""Files that are written piece by piece are what the library's own reader and writer make of the same tensors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from virst_cli.checkpoints.safetensors_file import DTYPES, write

SHAPES = st.lists(st.integers(0, 5), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SHAPES, st.sampled_from(sorted(DTYPES, key=str))), max_size=6), st.integers(1, 4))
def test_what_is_written_is_read(tmp_path_factory, facts, rows):
    tensors = {f"tensor.{n}": (torch.rand(shape) * 9).to(dtype) for n, (shape, dtype) in enumerate(facts)}
    layout = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    pieces = (piece for tensor in tensors.values() for piece in (tensor.split(rows) if tensor.dim() else [tensor]))
    path = tmp_path_factory.getbasetemp() / "pieces.safetensors"
    write(path, layout, pieces)
    read = load_file(path)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_tensors_that_do_not_lie_in_one_piece_are_written_as_they_are_seen(tmp_path):
    tensor = torch.arange(6.0).reshape(2, 3).T
    write(tmp_path / "x.safetensors", {"x": tensor}, [tensor])
    assert torch.equal(load_file(tmp_path / "x.safetensors")["x"], tensor)


@pytest.mark.parametrize("pieces", [[], [torch.zeros(3)], [torch.zeros(4), torch.zeros(1)]])
def test_too_many_or_too_few_pieces_are_an_error(pieces, tmp_path):
    with pytest.raises(ValueError, match="bytes"):
        write(tmp_path / "x.safetensors", {"x": torch.zeros(4)}, pieces)
