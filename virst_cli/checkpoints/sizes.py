"""How large the parts of a model are, from the headers of its files: what memory it takes is known before a weight is read."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints.remedy import remedy
from virst_cli.errors import WeightsError

LAYERS = "language_model.layers."
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


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


def _counts(path: Path) -> dict[str, int]:
    """Numbers in every tensor of a file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > LONGEST_HEADER:
                raise ValueError("its header has no end")
            header = json.loads(file.read(length))
        return {name: math.prod(facts["shape"]) for name, facts in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} can't be read ({error}); {remedy(path.parent)}") from None
