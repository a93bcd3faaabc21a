"""Reads a model folder: tensors go from its memory-mapped files into modules that were built without memory.

A module of the full model must never be filled with random numbers first, which would take its memory twice, and minutes. So its
parameters are built on the meta device, while tensors that are computed and not stored (rotary tables, caches) are real.
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
    """Within this block, new modules get parameters without memory (on the meta device); their buffers and tables are real."""

    def without_memory(module: nn.Module, name: str, parameter: nn.Parameter) -> nn.Parameter:
        return nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)

    handle = register_module_parameter_registration_hook(without_memory)  # type: ignore[arg-type]  # its result replaces the parameter
    try:
        yield
    finally:
        handle.remove()


class ModelFolder:
    """A model folder. Opening it reads its configuration and the names of its tensors, no contents."""

    def __init__(self, path: Path, config: VirstConfig, shards: Mapping[str, Path]) -> None:
        self.path, self.config = path, config
        self._shards = shards  # tensor name -> the file that it is in

    @staticmethod
    def open(path: Path) -> "ModelFolder":
        """Opens a model folder. Raises WeightsError when a file is missing or invalid."""
        for name in (CONFIG, TOKENIZER):
            if not (path / name).is_file():
                raise WeightsError(f"{path} is not a model folder: it has no {name}; see `virst weights list`")
        config = VirstConfig.from_json((path / CONFIG).read_text(), source=path / CONFIG)
        return ModelFolder(path, config, _files_by_tensor(path))

    @cached_property
    def prompt_builder(self) -> PromptBuilder:
        """Builds prompts with the model's tokenizer."""
        return PromptBuilder.from_file(self.path / TOKENIZER)

    @property
    def names(self) -> Sequence[str]:
        """Names of all tensors, as in `Virst(config).state_dict()`."""
        return list(self._shards)

    def verify(self) -> None:
        """Compares every file with the manifest. Raises WeightsError naming file, expected and got."""
        verify_folder(self.path)

    def build(self, make: Callable[[], AnyModule], prefix: str, *, device: torch.device | str, dtype: torch.dtype) -> AnyModule:
        """Makes a module without memory and loads its tensors. Takes what `load` takes, and raises what it raises."""
        with parameters_on_meta():
            module = make()
        self.load(module, prefix, device=device, dtype=dtype)
        return module

    def load(self, module: nn.Module, prefix: str, *, device: torch.device | str, dtype: torch.dtype) -> None:
        """Loads the tensors whose names start with `prefix` into a module that was built in `parameters_on_meta()`.

        dtype: of all parameters except those of normalisations, which stay in float32.

        Every tensor is copied out of its file: otherwise its place in the file would decide how it is aligned in memory, and
        with that the last bits of every product. Raises WeightsError for missing and unexpected tensors and for wrong shapes.
        """
        wanted = {name: tensor.shape for name, tensor in module.state_dict().items()}
        exact = _norm_parameters(module)
        tensors = {
            name: tensor.to(device=device, dtype=torch.float32 if name in exact else dtype, copy=True)
            for name, tensor in self._checked(wanted, prefix)
        }
        module.load_state_dict(tensors, assign=True)
        module.to(device)  # tensors that are not stored

    def copy_to(self, targets: Mapping[str, Tensor], prefix: str) -> None:
        """Copies the tensors whose names start with `prefix` into tensors of the same shapes and any dtype. Raises as `load`.

        targets: by name without the prefix.
        """
        for name, tensor in self._checked({name: target.shape for name, target in targets.items()}, prefix):
            targets[name].copy_(tensor)

    def _checked(self, wanted: Mapping[str, torch.Size], prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names without the prefix, checked: exactly those that are wanted, with the shapes that are wanted."""
        stored = {name.removeprefix(prefix) for name in self._shards if name.startswith(prefix)}
        if missing := sorted(prefix + name for name in wanted.keys() - stored):
            raise WeightsError(f"{self.path} lacks {listed(missing)}; {repair_hint(self.path)}")
        if unexpected := sorted(prefix + name for name in stored - wanted.keys()):
            raise WeightsError(
                f"{self.path} has tensors that its configuration does not have: {listed(unexpected)}; {repair_hint(self.path)}"
            )
        for full, tensor in self._read(prefix + name for name in wanted):
            name = full.removeprefix(prefix)
            if tensor.shape != wanted[name]:
                raise WeightsError(
                    f"{self.path}: {full} has the wrong shape: expected {tuple(wanted[name])}, got {tuple(tensor.shape)}; "
                    f"{repair_hint(self.path)}"
                )
            yield name, tensor

    def rows(self, name: str, ids: Tensor) -> Tensor:
        """Rows (*ids.shape, C) of a table, on the CPU and in the dtype of the file. Only these rows are read."""
        if name not in self._shards:
            raise WeightsError(f"{self.path} lacks {name}; {repair_hint(self.path)}")
        ((_, table),) = self._read([name])
        return table[ids.cpu()]

    def _read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Memory-mapped tensors, file by file; a file leaves memory when the last of its tensors does."""
        by_shard: dict[Path, list[str]] = {}
        for name in names:
            by_shard.setdefault(self._shards[name], []).append(name)
        for shard, inside in by_shard.items():
            try:
                with safe_open(shard, "pt") as file:
                    yield from ((name, file.get_tensor(name)) for name in inside)
            except (SafetensorError, OSError) as error:
                raise WeightsError(f"{shard} can't be read ({error}); {repair_hint(self.path)}") from None


def _norm_parameters(module: nn.Module) -> set[str]:
    """Names of the parameters of normalisations. They stay in float32, because only then does a CPU accept any input dtype."""
    return {
        f"{name}.{parameter}".removeprefix(".")
        for name, part in module.named_modules()
        if isinstance(part, nn.LayerNorm | nn.GroupNorm)
        for parameter in part.state_dict()
    }


def _files_by_tensor(path: Path) -> dict[str, Path]:
    """Tensor name -> the file that it is in, from the index or, for a single file, from its header."""
    index, single = path / INDEX, path / SINGLE
    try:
        if index.is_file():
            shards = {name: path / file for name, file in json.loads(index.read_text())["weight_map"].items()}
        elif single.is_file():
            with safe_open(single, "pt") as file:
                shards = dict.fromkeys(file.keys(), single)
        else:
            raise WeightsError(f"{path} is not a model folder: it has neither {INDEX} nor {SINGLE}; see `virst weights list`")
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path} can't be read ({error}); {repair_hint(path)}") from None
    for shard in set(shards.values()):
        if shard.parent != path or not shard.is_file():
            raise WeightsError(f"{shard} is missing; {repair_hint(path)}")
    return shards
