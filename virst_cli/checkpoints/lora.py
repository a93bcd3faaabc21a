"""Low-rank updates of the language model, added to the weights that they belong to (LoRA; spec section 7.1).

The published code keeps them apart, y = W x + 0.25 B (A x). Here W + 0.25 B A becomes one matrix, so that nothing is left to do
when the model runs.
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


def add_low_rank(weight: Tensor, down: Tensor, up: Tensor, scaling: float = SCALING) -> Tensor:
    """W (out,in), A (r,in) and B (out,r) to W + scaling * B A, computed in float32."""
    return weight.float() + scaling * (up.float() @ down.float())


class LowRankUpdates:
    """The matrices A and B of every updated layer of a checkpoint."""

    def __init__(self, tensors: Mapping[str, Tensor], config: LanguageConfig, scaling: float) -> None:
        """Raises WeightsError unless the checkpoint has all of them.

        tensors: the checkpoint's tensors by name; they may be on the meta device.
        """
        self._tensors, self._scaling = tensors, scaling
        self.modules = [f"language_model.layers.{n}.{module}" for n in range(config.layers) for module in MODULES]
        self.names = {name for module in self.modules for name in lora_names(module)}
        if missing := sorted(self.names - tensors.keys()):
            raise WeightsError(f"the checkpoint lacks {len(missing)} of {len(self.names)} LoRA tensors: {listed(missing)}")

    def names_for(self, weight: str) -> tuple[str, str] | None:
        """Names of the A and B that update a weight; None for a weight without an update."""
        names = lora_names(weight.removesuffix(".weight"))
        return names if weight.endswith(".weight") and names[0] in self.names else None

    def check(self, shapes: Mapping[str, Size]) -> None:
        """Raises WeightsError unless all updates fit the weights of these shapes."""
        for module in self.modules:
            (rows, columns), (down, up) = shapes[f"{module}.weight"], (self._tensors[name].shape for name in lora_names(module))
            if len(down) != 2 or down[1] != columns or up != (rows, down[0]):
                raise WeightsError(
                    f"the checkpoint's LoRA of {module} does not fit: expected shapes (r,{columns}) and ({rows},r), "
                    f"got {tuple(down)} and {tuple(up)}"
                )

    def add_to(self, weight: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """A weight with its update, in float32. Some rows of the weight may be given with the same rows of `up`."""
        return add_low_rank(weight, down, up, self._scaling)


def lora_names(module: str) -> tuple[str, str]:
    """Names of a module's A and B in the checkpoint, under our prefixes."""
    return f"{module}.lora_A.default.weight", f"{module}.lora_B.default.weight"
