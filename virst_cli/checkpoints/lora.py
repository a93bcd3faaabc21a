"""Low-rank updates of the language model, added to the weights they belong to (spec section 7.1).

The published code keeps them apart, y = W x + 0.25 B (A x); merged, W + 0.25 B A is one matrix, and nothing is left to do when
the model runs.
"""

from collections.abc import Mapping

from torch import Tensor

from virst_cli.checkpoints.weights import listed
from virst_cli.errors import WeightsError
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
        self._tensors, self._scaling = tensors, scaling
        self.modules = [f"language_model.layers.{n}.{module}" for n in range(config.layers) for module in MODULES]
        self.names = {name for module in self.modules for name in _pair(module)}
        if missing := sorted(self.names - tensors.keys()):
            raise WeightsError(f"the checkpoint lacks {len(missing)} of {len(self.names)} LoRA tensors: {listed(missing)}")

    def apply(self, name: str, weight: Tensor) -> Tensor:
        """The weight with its update, or as it is when it has none."""
        module = name.removesuffix(".weight")
        if _pair(module)[0] not in self.names:
            return weight
        down, up = (self._tensors[part] for part in _pair(module))
        if down.shape[1:] != weight.shape[1:] or up.shape[:1] != weight.shape[:1] or down.shape[0] != up.shape[1]:
            raise WeightsError(
                f"the checkpoint's LoRA of {module} does not fit: expected (r,{weight.shape[1]}) and ({weight.shape[0]},r), "
                f"got {tuple(down.shape)} and {tuple(up.shape)}"
            )
        return merge(weight, down, up, self._scaling)


def _pair(module: str) -> tuple[str, str]:
    return f"{module}.lora_A.default.weight", f"{module}.lora_B.default.weight"
