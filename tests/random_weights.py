"""Model folders of any size with random weights: their answers mean nothing, their memory and time are those of a trained model.

Shard by shard and some million numbers at a time, so that 17 GB are written in the memory of a few; a folder that is half written
is gone on with.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from virst_cli.checkpoints import safetensors_file
from virst_cli.checkpoints.convert import tensor_shapes
from virst_cli.checkpoints.manifest import CONFIG, INDEX, MANIFEST, TOKENIZER, manifest_text
from virst_cli.model.config import VirstConfig

AT_ONCE = 1 << 24  # numbers that are drawn and written together
SEEN = "pred_obj_score_head.layers.2.bias"  # 1, so that something is seen in every frame


def write_model(folder: Path, config: VirstConfig, tokenizer: Tokenizer, dtype: torch.dtype = torch.bfloat16) -> Path:
    """A model folder in our format, one shard for each layer of the language model; `folder` itself is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = tensor_shapes(config)
    shards: dict[str, list[str]] = {}
    for name in shapes:
        shards.setdefault(shard_of(name), []).append(name)
    for shard, names in shards.items():
        _write_shard(folder / shard, {name: shapes[name] for name in names}, dtype)
    if not (folder / MANIFEST).is_file():
        total = sum(shape.numel() for shape in shapes.values()) * dtype.itemsize
        index = {"metadata": {"total_size": total}, "weight_map": {name: shard_of(name) for name in shapes}}
        (folder / INDEX).write_text(json.dumps(index))
        (folder / CONFIG).write_text(config.to_json())
        (folder / TOKENIZER).write_text(tokenizer.to_str())
        (folder / MANIFEST).write_text(manifest_text(folder, name=config.name, source={"weights": "random"}))
    return folder


def shard_of(name: str) -> str:
    """The file for a tensor: what is read together lies together."""
    part, layer = name.split(".")[0], name.removeprefix("language_model.layers.")
    return f"{part if layer == name else 'layer-' + layer.split('.')[0].zfill(2)}.safetensors"


def _write_shard(path: Path, shapes: Mapping[str, torch.Size], dtype: torch.dtype) -> None:
    if path.is_file():
        return  # by an earlier run
    layout = {name: torch.empty(shape, dtype=dtype, device="meta") for name, shape in shapes.items()}
    unfinished = path.with_name(f".{path.name}.partial")
    safetensors_file.write(unfinished, layout, (piece for name, shape in shapes.items() for piece in _drawn(name, shape, dtype)))
    unfinished.rename(path)


def _drawn(name: str, shape: torch.Size, dtype: torch.dtype) -> Iterator[Tensor]:
    """A tensor's numbers, the same whenever it is drawn. Nothing grows from layer to layer, so nothing becomes infinite."""
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    for start in range(0, shape.numel(), AT_ONCE):
        piece = torch.empty(min(AT_ONCE, shape.numel() - start), dtype=dtype)
        if name.endswith(SEEN):
            yield piece.fill_(1.0)
        elif len(shape) < 2:
            yield piece.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0 if name.endswith("bias") else 0.1)
        else:
            spread = 0.02 if "embed" in name else 1 / math.sqrt(shape[1:].numel())
            yield piece.uniform_(-spread, spread, generator=random)
