"""Turns a frame into the networks' input: resized to a square and normalised (spec section 4).

The filter matters, because the difference is visible in the masks. As in the published code, it is bicubic for the vision tower,
bilinear for the frames of the fusions, and bicubic for the frames that are segmented.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, per channel of RGB in 0 to 1
STD = (0.229, 0.224, 0.225)


def to_square(rgb: np.ndarray, size: int, *, bilinear: bool = False) -> Tensor:
    """A frame (H,W,3) uint8 as a normalised float32 tensor (3,size,size); the aspect ratio is not kept."""
    resample = Image.Resampling.BILINEAR if bilinear else Image.Resampling.BICUBIC
    image = Image.fromarray(rgb)
    if image.size != (size, size):
        image = image.resize((size, size), resample)
    return normalise(torch.from_numpy(np.array(image)).permute(2, 0, 1))


def normalise(pixels: Tensor) -> Tensor:
    """Pixels (...,3,H,W) uint8 to normalised float32."""
    mean, std = (torch.tensor(value, device=pixels.device)[:, None, None] for value in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std
