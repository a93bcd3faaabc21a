"""Which frames become anchors, and which anchors a frame looks at (TDAU; spec section 10).

An anchor is a frame whose mask comes from the sentence alone. Every other frame is propagated: it attends to its
nearest anchors, past or future, and to the frames just before it (SAM2's memory attention picks those, see
`model.seg_model.NEAREST_ANCHORS`).
"""

import numpy as np

from virst_cli.model.config import SegmentationConfig

PUBLISHED = SegmentationConfig.frames_per_anchor
CHUNK = SegmentationConfig.chunk  # frames that share anchors, as published


def choose(fusion_frames: int, per_anchor: int = PUBLISHED) -> list[int]:
    """Positions of the anchors among the fusion frames: one for every `per_anchor`, evenly spread, ends included.

    >>> choose(32)
    [0, 4, 9, 13, 18, 22, 27, 31]
    """
    count = max(1, fusion_frames // per_anchor)
    return [round(float(place)) for place in np.linspace(0, fusion_frames - 1, count, dtype=np.float32)]  # halves to even
