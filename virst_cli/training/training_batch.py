"""What one step of training sees: clips, what is asked about them, and which pixels are meant."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from virst_cli.model.prompt import Prompt

if TYPE_CHECKING:
    from typing_extensions import Self

GRID = 8  # cells a side in which training says where things are


@dataclass
class TrainingBatch(ABC):
    """B clips of T frames with S sentences each and at most K things a clip."""

    images: Tensor  # B,T,3,H,W uint8
    cover: Tensor  # B,T,cells,K   share of the cell's pixels that show the thing
    targets: Tensor  # B,S,K bool
    prompts: Sequence[Sequence[Prompt]]

    def to(self, device: torch.device) -> "Self":
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Self":
        """The same in memory from which a CUDA device copies fast."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Self":
        changed: dict[str, Any] = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **changed)

    @abstractmethod
    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """Truth (R,H,W) float of R rows: targets (R,K) in frame `time` (R,) of `clip` (R,)."""

    def shown(self, clip: Tensor, found: Mapping[int, Tensor]) -> Tensor:
        """Things (R,K) bool that mask logits (R,h,w) of some frames, by time, show for the most part; clips (R,)."""
        things = self.targets.shape[2]
        inside = area = torch.zeros(len(clip), things, device=clip.device)
        each = torch.eye(things, dtype=torch.bool, device=clip.device)[:, None].expand(-1, len(clip), -1)
        for time, logits in found.items():
            whole = F.interpolate(logits.detach()[:, None], size=self.images.shape[-2:], mode="bilinear", align_corners=False)
            seen = whole[:, 0] > 0  # R,H,W
            truth = torch.stack([self.masks(clip, torch.full_like(clip, time), one) for one in each], 1)  # R,K,H,W
            inside = inside + (seen[:, None] * truth).sum((2, 3))
            area = area + truth.sum((2, 3))
        return inside > 0.5 * area

    def share(self, targets: Tensor) -> Tensor:
        """Share of every cell that shows the targets (B,S,K) of a sentence, (B,S,T,cells)."""
        return (self.cover[:, None] * targets[:, :, None, None]).sum(-1)


def covered(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Share of each cell that masks (...,H,W) cover, (...,cells)."""
    height, width = masks.shape[-2:]
    cells = masks.reshape(*masks.shape[:-2], GRID, height // GRID, GRID, width // GRID)
    share: npt.NDArray[np.float32] = cells.mean(axis=(-3, -1), dtype=np.float32)
    return share.reshape(*masks.shape[:-2], -1)
