"""The batch of a training step: clips, their sentences, and the truth."""

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

GRID = 8  # cells per side of the grid in which losses locate things


@dataclass
class TrainingBatch(ABC):
    """B clips of T frames with S sentences per clip and at most K things per clip."""

    images: Tensor  # B,T,3,H,W uint8
    cover: Tensor  # B,T,cells,K   share of the cell's pixels that show the thing, 0 to 1
    targets: Tensor  # B,S,K bool   things that the sentence means
    prompts: Sequence[Sequence[Prompt]]

    def to(self, device: torch.device) -> "Self":
        """A copy of the batch on a device."""
        return self._map_tensors(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Self":
        """A copy of the batch in memory from which a CUDA device copies fast."""
        return self._map_tensors(Tensor.pin_memory)

    def _map_tensors(self, change: Callable[[Tensor], Tensor]) -> "Self":
        changed: dict[str, Any] = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **changed)

    @abstractmethod
    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """True masks (R,H,W) float of R rows.

        clip: number of the clip, (R,).
        time: number of the frame, (R,).
        targets: things whose masks are united, (R,K) bool.
        """

    def shown(self, clip: Tensor, logits_by_time: Mapping[int, Tensor]) -> Tensor:
        """Things (R,K) bool of which masks show more than half over all given frames.

        clip: number of the clip of each row, (R,).
        logits_by_time: mask logits (R,h,w) by number of the frame.
        """
        things = self.targets.shape[2]
        inside = area = torch.zeros(len(clip), things, device=clip.device)
        single = torch.eye(things, dtype=torch.bool, device=clip.device)[:, None].expand(-1, len(clip), -1)
        for time, logits in logits_by_time.items():
            resized = F.interpolate(logits.detach()[:, None], size=self.images.shape[-2:], mode="bilinear", align_corners=False)
            predicted = resized[:, 0] > 0  # R,H,W
            truth = torch.stack([self.masks(clip, torch.full_like(clip, time), one) for one in single], 1)  # R,K,H,W
            inside = inside + (predicted[:, None] * truth).sum((2, 3))
            area = area + truth.sum((2, 3))
        return inside > 0.5 * area

    def share(self, targets: Tensor) -> Tensor:
        """Share of each cell (B,S,T,cells) that shows the targets (B,S,K) bool."""
        return (self.cover[:, None] * targets[:, :, None, None]).sum(-1)


def covered(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Share of each cell (...,cells) that masks (...,H,W) cover; H and W are multiples of GRID."""
    height, width = masks.shape[-2:]
    cells = masks.reshape(*masks.shape[:-2], GRID, height // GRID, GRID, width // GRID)
    share: npt.NDArray[np.float32] = cells.mean(axis=(-3, -1), dtype=np.float32)
    return share.reshape(*masks.shape[:-2], -1)
