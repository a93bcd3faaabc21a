"""Reading a model folder: tensors go from the memory-mapped files into modules that were built without any.

A module of the full model must never first be filled with random numbers: that would take its memory twice, and minutes. So its
parameters are built on the meta device, while everything that is computed and not stored (rotary tables, caches) becomes real.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from virst_cli.checkpoints.manifest import CONFIG, INDEX, SINGLE, TOKENIZER, verify_folder
from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError
from virst_cli.files.shown import listed
from virst_cli.model.config import VirstConfig
from virst_cli.model.prompt import PromptBuilder

AnyModule = TypeVar("AnyModule", bound=nn.Module)


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Modules built in here have parameters without memory; their buffers and tables are real."""

    def without_memory(module: nn.Module, name: str, parameter: nn.Parameter) -> nn.Parameter:
        return nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)

    handle = register_module_parameter_registration_hook(without_memory)  # type: ignore[arg-type]  # what it returns is used
    try:
        yield
    finally:
        handle.remove()


class ModelFolder:
    """A folder with a model. Opening it reads the names of its tensors only."""

    def __init__(self, path: Path, config: VirstConfig, shards: Mapping[str, Path]) -> None:
        self.path, self.config = path, config
        self._shards = shards  # tensor name -> file

    @staticmethod
    def open(path: Path) -> "ModelFolder":
        """Raises WeightsError when a file that a model needs is missing or is something else."""
        for name in (CONFIG, TOKENIZER):
            if not (path / name).is_file():
                raise WeightsError(f"{path} is no model folder: it has no {name}; see `virst weights list`")
        config = VirstConfig.from_json((path / CONFIG).read_text(), source=path / CONFIG)
        return ModelFolder(path, config, _shards(path))

    @cached_property
    def prompt_builder(self) -> PromptBuilder:
        return PromptBuilder.from_file(self.path / TOKENIZER)

    @property
    def names(self) -> Sequence[str]:
        """Names of all tensors, as in `Virst(config).state_dict()`."""
        return list(self._shards)

    def verify(self) -> None:
        """Check every file against the manifest. Raises WeightsError naming file, expected and got."""
        verify_folder(self.path)

    def build(self, make: Callable[[], AnyModule], prefix: str, *, device: torch.device | str, dtype: torch.dtype) -> AnyModule:
        """Make a module without memory and load it."""
        with parameters_on_meta():
            module = make()
        self.load(module, prefix, device=device, dtype=dtype)
        return module

    def load(self, module: nn.Module, prefix: str, *, device: torch.device | str, dtype: torch.dtype) -> None:
        """Fill a module, built in `parameters_on_meta()`, with the tensors whose names start with `prefix`.

        Every tensor is copied out of its file: where it lies in the file would otherwise decide how it is aligned in
        memory, and with it the last bits of every product. Raises WeightsError for missing and unexpected tensors and for other
        shapes.
        """
        wanted = {name: tensor.shape for name, tensor in module.state_dict().items()}
        exact = _of_norms(module)
        tensors = {
            name: tensor.to(device=device, dtype=torch.float32 if name in exact else dtype, copy=True)
            for name, tensor in self._checked(wanted, prefix)
        }
        module.load_state_dict(tensors, assign=True)
        module.to(device)  # what is not stored

    def copy_to(self, places: Mapping[str, Tensor], prefix: str) -> None:
        """Copy the tensors whose names start with `prefix` to places of the same shapes and any dtype. Raises as `load` does."""
        for name, tensor in self._checked({name: place.shape for name, place in places.items()}, prefix):
            places[name].copy_(tensor)

    def _checked(self, wanted: Mapping[str, torch.Size], prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names without the prefix: all that are wanted, and there must be no others."""
        stored = {name.removeprefix(prefix) for name in self._shards if name.startswith(prefix)}
        if missing := sorted(prefix + name for name in wanted.keys() - stored):
            raise WeightsError(f"{self.path} lacks {listed(missing)}; {repair_hint(self.path)}")
        if unexpected := sorted(prefix + name for name in stored - wanted.keys()):
            raise WeightsError(f"{self.path} has tensors that its configuration does not: {listed(unexpected)}")
        for full, tensor in self._read(prefix + name for name in wanted):
            name = full.removeprefix(prefix)
            if tensor.shape != wanted[name]:
                raise WeightsError(
                    f"{self.path}: {full} does not fit: expected shape {tuple(wanted[name])}, got {tuple(tensor.shape)}"
                )
            yield name, tensor

    def rows(self, name: str, ids: Tensor) -> Tensor:
        """Rows (*ids.shape, C) of a table, on the CPU and in the dtype of the file; no other rows are read."""
        if name not in self._shards:
            raise WeightsError(f"{self.path} lacks {name}; {repair_hint(self.path)}")
        ((_, table),) = self._read([name])
        return table[ids.cpu()]

    def _read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Memory-mapped tensors, shard by shard; a shard leaves memory when the last of its tensors does."""
        by_shard: dict[Path, list[str]] = {}
        for name in names:
            by_shard.setdefault(self._shards[name], []).append(name)
        for shard, inside in by_shard.items():
            try:
                with safe_open(shard, "pt") as file:
                    yield from ((name, file.get_tensor(name)) for name in inside)
            except (SafetensorError, OSError) as error:
                raise WeightsError(f"{shard} can't be read ({error}); {repair_hint(self.path)}") from None


def _of_norms(module: nn.Module) -> set[str]:
    """Parameters of normalisations, which stay in float32: on a CPU these take numbers of any precision only then."""
    return {
        f"{name}.{parameter}".removeprefix(".")
        for name, part in module.named_modules()
        if isinstance(part, nn.LayerNorm | nn.GroupNorm)
        for parameter in part.state_dict()
    }


def _shards(path: Path) -> dict[str, Path]:
    """Which file holds which tensor, from the index or, for a single file, from its header."""
    index, single = path / INDEX, path / SINGLE
    try:
        if index.is_file():
            shards = {name: path / file for name, file in json.loads(index.read_text())["weight_map"].items()}
        elif single.is_file():
            with safe_open(single, "pt") as file:
                shards = dict.fromkeys(file.keys(), single)
        else:
            raise WeightsError(f"{path} is no model folder: it has neither {INDEX} nor {SINGLE}; see `virst weights list`")
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path} can't be read ({error}); {repair_hint(path)}") from None
    for shard in set(shards.values()):
        if shard.parent != path or not shard.is_file():
            raise WeightsError(f"{shard} is missing; {repair_hint(path)}")
    return shards
