"""From a frame to what the networks see: square, normalised, three filters (spec section 4).

The published code resizes frames in three ways, and the difference is visible in the masks: bicubic for the vision
tower, bilinear for the frames that the fusions look at, bicubic for the frames that are tracked.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)  # of ImageNet
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
