"""Reads the published files under our tensor names: base model, SAM 2.1 and the VIRST checkpoint (spec sections 5 to 9).

All files are memory-mapped, and only while some of their tensors are used, because the pages of a mapped file that were read
count as memory until the file is closed. A pickle is read with `weights_only=True`, which refuses a file that would run code.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from virst_cli.errors import WeightsError
from virst_cli.files.shown import listed

WRAPPERS = ("module.", "base_model.model.")  # left in names by DeepSpeed and by peft
OURS = {  # published prefix -> ours
    "model.vision_tower.vision_tower.encoder.": "vision.vision_tower.",
    "model.mm_projector.": "vision.mm_projector.",
    "model.embed_tokens.": "language_model.embed_tokens.",
    "model.layers.": "language_model.layers.",
    "model.norm.": "language_model.norm.",
    "model.seg_model.": "fusion.seg_model.",
    "model.seg_prompter.": "fusion.seg_prompter.",
    "model.initial_seg_fusion_module.": "fusion.initial_seg_fusion_module.",
}
UNUSED = ("lm_head.", "model.occ_predictor.")  # VIRST writes no text; the predictor is never called


class CheckpointTensors:
    """The tensors of one published model under our names.

    tensors: our name -> a tensor on the meta device, for its shape and dtype; `read` gives the contents.
    unused: published names of the tensors that no mask depends on.
    """

    def __init__(self, path: Path, opened: Callable[[Path], Mapping[str, Any]], *, prefix: str = "") -> None:
        """Reads names and shapes.

        path: file or folder.
        opened: takes `path` and returns its tensors by their published names.
        prefix: put before the published names to make them those of a whole VIRST checkpoint.

        Raises WeightsError for a file that can't be read and for an unknown tensor.
        """
        self.path, self._opened = path, opened
        self.tensors: dict[str, Tensor] = {}
        self.unused: list[str] = []
        self._published: dict[str, str] = {}  # our name -> theirs
        unknown = []
        for published, tensor in opened(path).items():
            name = prefix + _unwrapped(published)
            known = next((theirs for theirs in OURS if name.startswith(theirs)), None)
            if not isinstance(tensor, Tensor):
                raise WeightsError(f"{path}: {published} is not a tensor but {type(tensor).__name__}")
            if name.startswith(UNUSED):
                self.unused.append(published)
            elif known is None:
                unknown.append(published)
            elif (ours := OURS[known] + name.removeprefix(known)) in self.tensors:
                raise WeightsError(f"{path} has {published} twice")
            else:
                self.tensors[ours] = torch.empty_like(tensor, device="meta")
                self._published[ours] = published
        if unknown:
            raise WeightsError(f"{path} has tensors that no VIRST model has: {listed(sorted(unknown))}")

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The contents of tensors, by our names. Names that the model does not have are left out."""
        wanted = [name for name in names if name in self._published]
        content = self._opened(self.path) if wanted else {}
        return {name: content[self._published[name]] for name in wanted}

    @staticmethod
    def virst(path: Path) -> "CheckpointTensors":
        """Opens virst_checkpoint.pt, complete or with the trained parts only."""
        return CheckpointTensors(path, partial(_unpickled, entry="model_state_dict"))

    @staticmethod
    def sam2(path: Path) -> "CheckpointTensors":
        """Opens sam2.1_hiera_large.pt."""
        return CheckpointTensors(path, partial(_unpickled, entry="model"), prefix="model.seg_model.")

    @staticmethod
    def base(folder: Path) -> "CheckpointTensors":
        """Opens the folder of VideoChat-Flash, with its safetensors files."""
        return CheckpointTensors(folder, _FolderTensors)


def _unwrapped(name: str) -> str:
    while wrapper := next((w for w in WRAPPERS if name.startswith(w)), None):
        name = name.removeprefix(wrapper)
    return name


def _unpickled(path: Path, entry: str) -> dict[str, Any]:
    """The dictionary under a key of a torch checkpoint, memory-mapped."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist") from None
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} is refused: it contains more than tensors, and reading it could run code ({reason})"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a checkpoint that torch can read ({str(error).splitlines()[0]}); download it again"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get(entry), dict):
        raise WeightsError(f"{path} has no entry {entry!r}; check that it is the right file")
    tensors: dict[str, Any] = content[entry]
    return tensors


def shard_paths(folder: Path) -> list[Path]:
    """The safetensors files of a folder, in order."""
    return sorted(folder.glob("*.safetensors"))


class _FolderTensors(Mapping[str, Tensor]):
    """The tensors of all safetensors files of a folder; each is memory-mapped when it is read."""

    def __init__(self, folder: Path) -> None:
        if not shard_paths(folder):
            raise WeightsError(f"{folder} has no *.safetensors; --base must be the folder of the base model")
        self._paths: dict[str, Path] = {}
        for path in shard_paths(folder):
            with _open(path) as file:
                names = list(file.keys())
            if twice := sorted(self._paths.keys() & names):
                raise WeightsError(f"{folder} has {listed(twice)} twice")
            self._paths |= dict.fromkeys(names, path)

    def __getitem__(self, name: str) -> Tensor:
        with _open(self._paths[name]) as file:
            tensor: Tensor = file.get_tensor(name)
            return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _open(path: Path) -> Any:
    try:
        return safe_open(path, "pt")
    except SafetensorError as error:
        raise WeightsError(f"{path} can't be read ({error}); download it again") from None
