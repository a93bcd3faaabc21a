"""Writes a safetensors file piece by piece, because the library's own writer needs all tensors of a file in memory at once.

The format: the length of the header in 8 bytes, the header as JSON, and the tensors' bytes one after the other.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from virst_cli.files.atomic import flush

DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
ALIGNMENT = 8  # bytes; a mapped tensor of any dtype is then aligned in memory


def write(path: Path, layout: Mapping[str, Tensor], pieces: Iterable[Tensor]) -> None:
    """Writes a file of tensors and flushes it to the disk.

    layout: name -> a tensor with the shape and dtype, which may be on the meta device.
    pieces: the contents of the tensors, in the same order and dtype, in pieces of any size.

    Raises OSError when the disk is full, ValueError when pieces and layout do not agree.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in layout.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for piece in pieces:
            end -= file.write(piece.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        if end:
            raise ValueError(f"{path}: the pieces and the tensors differ by {abs(end)} bytes")
        flush(file)
