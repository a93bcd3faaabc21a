"""Low-rank updates of the language model, added to the weights they belong to (spec section 7.1).

The published code keeps them apart, y = W x + 0.25 B (A x); merged, W + 0.25 B A is one matrix, and nothing is left to do when
the model runs.
"""

from collections.abc import Mapping

from torch import Size, Tensor

from virst_cli.errors import WeightsError
from virst_cli.files.shown import listed
from virst_cli.model.config import LanguageConfig

SCALING = 0.25  # alpha / rank = 16 / 64
MODULES = (
    *(f"self_attn.{name}_proj" for name in "qkvo"),
    *(f"mlp.{name}_proj" for name in ("gate", "up", "down")),
)


def merge(weight: Tensor, down: Tensor, up: Tensor, scaling: float = SCALING) -> Tensor:
    """W (out,in), A (r,in), B (out,r) -> W + scaling * B A, computed in float32."""
    return weight.float() + scaling * (up.float() @ down.float())


class LowRankUpdates:
    """The pairs A and B of all layers, taken out of a checkpoint. Raises WeightsError unless all are there."""

    def __init__(self, tensors: Mapping[str, Tensor], config: LanguageConfig, scaling: float) -> None:
        """`tensors`: names and shapes of the checkpoint; they may be on the meta device."""
        self._tensors, self._scaling = tensors, scaling
        self.modules = [f"language_model.layers.{n}.{module}" for n in range(config.layers) for module in MODULES]
        self.names = {name for module in self.modules for name in pair(module)}
        if missing := sorted(self.names - tensors.keys()):
            raise WeightsError(f"the checkpoint lacks {len(missing)} of {len(self.names)} LoRA tensors: {listed(missing)}")

    def of(self, name: str) -> tuple[str, str] | None:
        """Names of the two tensors that update a weight; None where nothing does."""
        names = pair(name.removesuffix(".weight"))
        return names if name.endswith(".weight") and names[0] in self.names else None

    def check(self, shapes: Mapping[str, Size]) -> None:
        """Raises WeightsError unless all updates fit the weights of these shapes."""
        for module in self.modules:
            (rows, columns), (down, up) = shapes[f"{module}.weight"], (self._tensors[name].shape for name in pair(module))
            if len(down) != 2 or down[1] != columns or up != (rows, down[0]):
                raise WeightsError(
                    f"the checkpoint's LoRA of {module} does not fit: expected (r,{columns}) and ({rows},r), "
                    f"got {tuple(down)} and {tuple(up)}"
                )

    def merged(self, weight: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """A weight, or some of its rows, with the update."""
        return merge(weight, down, up, self._scaling)


def pair(module: str) -> tuple[str, str]:
    """Names of a module's A and B."""
    return f"{module}.lora_A.default.weight", f"{module}.lora_B.default.weight"
