"""The published files under our tensor names: base model, SAM 2.1 and the VIRST checkpoint (spec sections 5 to 9).

All are opened memory-mapped, and only while some of their tensors are used: what was touched of a mapped file counts as memory
until the file is let go. A pickle is read with `weights_only=True`: what would run code is refused, and has not run.
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
    """One published model: its tensors under our names, and the names of those that are not used.

    `tensors` tells shapes and dtypes only (they are on the meta device); `read` gives contents.
    """

    def __init__(self, path: Path, opened: Callable[[Path], Mapping[str, Any]], *, prefix: str = "") -> None:
        self.path, self._opened = path, opened
        self.tensors: dict[str, Tensor] = {}
        self.unused: list[str] = []
        self._published: dict[str, str] = {}  # our name -> theirs
        unknown = []
        for published, tensor in opened(path).items():
            name = prefix + _unwrapped(published)
            known = next((theirs for theirs in OURS if name.startswith(theirs)), None)
            if not isinstance(tensor, Tensor):
                raise WeightsError(f"{path}: {published} is no tensor but {type(tensor).__name__}")
            if name.startswith(UNUSED):
                self.unused.append(published)
            elif known is None:
                unknown.append(published)
            elif (ours := OURS[known] + name.removeprefix(known)) in self.tensors:
                raise WeightsError(f"{path}: {published} is there twice")
            else:
                self.tensors[ours] = torch.empty_like(tensor, device="meta")
                self._published[ours] = published
        if unknown:
            raise WeightsError(f"{path} has tensors that no VIRST model has: {listed(sorted(unknown))}")

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Tensors by our names; their file stays open until the last of them is gone."""
        wanted = [name for name in names if name in self._published]
        content = self._opened(self.path) if wanted else {}
        return {name: content[self._published[name]] for name in wanted}

    @staticmethod
    def virst(path: Path) -> "CheckpointTensors":
        """virst_checkpoint.pt, whole or with the trained parts only."""
        return CheckpointTensors(path, partial(_unpickled, entry="model_state_dict"))

    @staticmethod
    def sam2(path: Path) -> "CheckpointTensors":
        """sam2.1_hiera_large.pt."""
        return CheckpointTensors(path, partial(_unpickled, entry="model"), prefix="model.seg_model.")

    @staticmethod
    def base(folder: Path) -> "CheckpointTensors":
        """The folder of VideoChat-Flash, with its safetensors shards."""
        return CheckpointTensors(folder, _Shards)


def _unwrapped(name: str) -> str:
    while wrapper := next((w for w in WRAPPERS if name.startswith(w)), None):
        name = name.removeprefix(wrapper)
    return name


def _unpickled(path: Path, entry: str) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist") from None
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} is refused: it holds more than tensors, and reading it could run code ({reason})") from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is no checkpoint that torch can read ({str(error).splitlines()[0]})") from None
    if not isinstance(content, dict) or not isinstance(content.get(entry), dict):
        raise WeightsError(f"{path} has no entry {entry!r}; is it the right file?")
    tensors: dict[str, Any] = content[entry]
    return tensors


def shards(folder: Path) -> list[Path]:
    """The weight files of a model that is published in several, in order."""
    return sorted(folder.glob("*.safetensors"))


class _Shards(Mapping[str, Tensor]):
    """The tensors of all shards of a folder; each is mapped for itself, when it is asked for."""

    def __init__(self, folder: Path) -> None:
        if not shards(folder):
            raise WeightsError(f"{folder} has no *.safetensors; it should be the folder of the base model")
        self._places: dict[str, Path] = {}
        for path in shards(folder):
            with _open(path) as file:
                names = list(file.keys())
            if twice := sorted(self._places.keys() & names):
                raise WeightsError(f"{folder}: {listed(twice)} is there twice")
            self._places |= dict.fromkeys(names, path)

    def __getitem__(self, name: str) -> Tensor:
        with _open(self._places[name]) as file:
            tensor: Tensor = file.get_tensor(name)
            return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _open(path: Path) -> Any:
    try:
        return safe_open(path, "pt")
    except SafetensorError as error:
        raise WeightsError(f"{path} can't be read ({error}); download it again") from None
