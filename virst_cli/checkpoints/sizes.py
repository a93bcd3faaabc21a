"""Counts the parameters of each part of a model from the headers of its files, before any weight is read."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError

SMALL_MODEL_BYTES = 1 << 30  # a smaller model stays in memory between videos, and is verified every time it is opened
LAYERS = "language_model.layers."


@dataclass(frozen=True)
class Sizes:
    """Parameter counts of the parts of a model. layer: of the largest layer of the language model."""

    vision: int
    fusion: int
    language: int
    layer: int

    @property
    def total(self) -> int:
        """The parameter count of the whole model."""
        return self.vision + self.fusion + self.language

    @staticmethod
    def of(folder: Path) -> "Sizes":
        """Counts the parameters of a model folder. Raises WeightsError for a file that can't be read."""
        parts: Counter[str] = Counter()
        layers: Counter[str] = Counter()
        for path in sorted(folder.glob("*.safetensors")):
            for name, count in _counts(path).items():
                parts[name.split(".")[0]] += count
                if name.startswith(LAYERS):
                    layers[name.removeprefix(LAYERS).split(".")[0]] += count
        return Sizes(parts["vision"], parts["fusion"], parts["language_model"], max(layers.values(), default=0))


def is_small(folder: Path) -> bool:
    """Whether a model is so small that its weights always stay in memory."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) < SMALL_MODEL_BYTES


def _counts(path: Path) -> dict[str, int]:
    """Tensor name -> parameter count, for one file."""
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: math.prod(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  not a dict
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} can't be read ({error}); {repair_hint(path.parent)}") from None
