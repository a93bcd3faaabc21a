"""The published order of steps, driven by hand: all anchors first, then every frame from the first to the last.

No frame choice is made here; which frames, positions and templates to use comes from the golden files.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from virst_cli.model.pixels import to_square
from virst_cli.model.seg_model import POINTER_FRAMES, FrameFeatures, SegModel, Tracked


@dataclass
class Propagation:
    """What came out for every frame, n sentences each."""

    tracked: list[Tracked]

    def logits(self, sentence: int = 0) -> Tensor:
        return torch.stack([seen.logits[sentence, 0] for seen in self.tracked])  # L,h,w

    def scores(self, sentence: int = 0) -> Tensor:
        return torch.stack([seen.score[sentence, 0] for seen in self.tracked])

    def pointers(self, sentence: int = 0) -> Tensor:
        return torch.stack([seen.pointer[sentence] for seen in self.tracked])

    def ious(self, sentence: int = 0) -> Tensor:
        return torch.stack([seen.ious[sentence] for seen in self.tracked])

    def memories(self, sentence: int = 0) -> Tensor:
        return torch.stack([seen.memory[sentence] for seen in self.tracked])

    def masks(self, size: tuple[int, int], sentence: int = 0) -> Tensor:
        return video_logits(self.logits(sentence), size) > 0


def video_logits(low: Tensor, size: tuple[int, int]) -> Tensor:
    """Low-resolution logits (L,h,w) at the size of the video."""
    return F.interpolate(low[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def frames_of(folder: Path) -> list[np.ndarray]:
    frames = []
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as image:
            frames.append(np.array(image.convert("RGB")))
    return frames


def masks_of(folder: Path) -> Tensor:
    masks = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            masks.append(torch.from_numpy(np.array(image)) > 0)
    return torch.stack(masks)


def encoded(seg_model: SegModel, frames: Sequence[np.ndarray], *, bilinear: bool = False) -> Iterator[FrameFeatures]:
    """SAM2's features, one frame at a time."""
    for rgb in frames:
        yield seg_model.encode(to_square(rgb, seg_model.image_size, bilinear=bilinear)[None])


def propagated(
    seg_model: SegModel, features: Callable[[int], FrameFeatures], length: int, prompts: dict[int, Tensor]
) -> Propagation:
    """anchor and propagate: prompts (n,10,C) of the anchor frames to masks of all frames."""
    anchors = {frame: seg_model.anchor(features(frame), prompt) for frame, prompt in prompts.items()}
    tracked: list[Tracked] = []
    recent: dict[int, Tracked] = {}
    for frame in range(length):
        if frame in anchors:
            tracked.append(anchors[frame])  # never refined
            continue
        seen = seg_model.propagate(features(frame), frame, anchors, recent, length)
        recent = {number: kept for number, kept in recent.items() if number > frame - POINTER_FRAMES} | {frame: seen}
        tracked.append(seen)
    return Propagation(tracked)
