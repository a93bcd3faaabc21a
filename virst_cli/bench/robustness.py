"""A and R of one frame, which ReVOS measures besides J and F (spec/datasets.md section 5).

A, accuracy, is the share of pixels that are right. R, robustness, is 1 minus the number of pixels wrongly in the mask over the
number of foreground pixels, those of all annotated objects of the video. The published script compares masks as they are stored,
0 and 255, with a truth of 0 and 1: a right pixel of the object then never counts as right (`A_255`), and each wrong one counts
255 times (`R_255`, the published R). `A` and `R_binary` follow the definitions.
"""

import numpy as np

from virst_cli.bench.metrics import Mask

MEASURED = ("A", "A_255", "R_255", "R_binary")


def accuracy_and_robustness(prediction: Mask, truth: Mask, foreground: int) -> dict[str, float]:
    """The measures in `MEASURED`, between 0 and 1.

    prediction, truth: masks (H, W).
    foreground: number of pixels of any annotated object in the frame.
    """
    wrong = int(np.count_nonzero(prediction & ~truth))
    return {
        "A": np.count_nonzero(prediction == truth) / truth.size,
        "A_255": np.count_nonzero(~(prediction | truth)) / truth.size,
        "R_255": _robustness(255 * wrong, foreground),
        "R_binary": _robustness(wrong, foreground),
    }


def _robustness(wrong: int, foreground: int) -> float:
    return max(1 - wrong / (foreground + 1e-6), 0.0)
