"""The published files under our tensor names: base model, SAM 2.1 and the VIRST checkpoint (spec sections 5 to 9).

All are opened memory-mapped, so their tensors cost nothing until they are used. A pickle is read with `weights_only=True`: what
would run code is refused, and has not run.
"""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from virst_cli.checkpoints.weights import listed
from virst_cli.errors import WeightsError

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


class Source:
    """One published model: its tensors under our names, and the names of those that are not used."""

    def __init__(self, path: Path, tensors: Iterable[tuple[str, Any]], *, prefix: str = "") -> None:
        self.path = path
        self.tensors: dict[str, Tensor] = {}
        self.unused: list[str] = []
        unknown = []
        for published, tensor in tensors:
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
                self.tensors[ours] = tensor
        if unknown:
            raise WeightsError(f"{path} has tensors that no VIRST model has: {listed(sorted(unknown))}")

    @staticmethod
    def virst(path: Path) -> "Source":
        """virst_checkpoint.pt, whole or with the trained parts only."""
        return Source(path, _unpickled(path, "model_state_dict").items())

    @staticmethod
    def sam2(path: Path) -> "Source":
        """sam2.1_hiera_large.pt."""
        return Source(path, _unpickled(path, "model").items(), prefix="model.seg_model.")

    @staticmethod
    def base(folder: Path) -> "Source":
        """The folder of VideoChat-Flash, with its safetensors shards."""
        return Source(folder, _safetensors(folder))


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


def _safetensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    if not shards(folder):
        raise WeightsError(f"{folder} has no *.safetensors; it should be the folder of the base model")
    for path in shards(folder):
        try:
            with safe_open(path, "pt") as file:
                yield from ((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118  not a dict
        except SafetensorError as error:
            raise WeightsError(f"{path} can't be read ({error}); download it again") from None
