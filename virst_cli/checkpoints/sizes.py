"""How large the parts of a model are, from the headers of its files: what memory it takes is known before a weight is read."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError

SMALL_MODEL_BYTES = 1 << 30  # of weights; a smaller model stays in memory between videos, and is checked whenever it is opened
LAYERS = "language_model.layers."


@dataclass(frozen=True)
class Sizes:
    """Numbers, whatever their precision, in the parts of a model; `layer`: in the largest layer of the language model."""

    vision: int
    fusion: int
    language: int
    layer: int

    @property
    def total(self) -> int:
        """In all parts."""
        return self.vision + self.fusion + self.language

    @staticmethod
    def of(folder: Path) -> "Sizes":
        """Raises WeightsError for a file that is none of tensors."""
        parts: Counter[str] = Counter()
        layers: Counter[str] = Counter()
        for path in sorted(folder.glob("*.safetensors")):
            for name, count in _counts(path).items():
                parts[name.split(".")[0]] += count
                if name.startswith(LAYERS):
                    layers[name.removeprefix(LAYERS).split(".")[0]] += count
        return Sizes(parts["vision"], parts["fusion"], parts["language_model"], max(layers.values(), default=0))


def is_small(folder: Path) -> bool:
    """Whether a model's weights stay in memory whatever is free."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) < SMALL_MODEL_BYTES


def _counts(path: Path) -> dict[str, int]:
    """Numbers in every tensor of a file."""
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: math.prod(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  it is no dict
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} can't be read ({error}); {repair_hint(path.parent)}") from None
