"""Types of the arrays that hold frames, masks and pictures. H and W are the height and width of the video as displayed."""

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""A frame, (H, W, 3): red, green, blue."""

Mask = NDArray[np.bool_]
"""The mask of one sentence in one frame, (H, W)."""

Masks = NDArray[np.bool_]
"""The masks of n sentences in one frame, (n, H, W)."""

Picture = NDArray[np.uint8]
"""A picture as it is written to a file: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA."""
