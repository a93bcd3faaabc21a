"""A and R of one frame, which ReVOS measures besides J and F (spec/datasets.md section 5).

A is the share of pixels that are right. R is how little of the foreground, all annotated objects of the video, is
wrongly claimed. The published script works on masks as they are stored, 0 and 255, against a truth of 0 and 1: there a
right pixel of the object never counts as right (`A_255`), and each wrong one counts 255 times (`R_255`, the published
R). `A` and `R_binary` are what the words say.
"""

import numpy as np

from virst_cli.bench.metrics import Mask

MEASURED = ("A", "A_255", "R_255", "R_binary")


def accuracy_and_robustness(prediction: Mask, truth: Mask, foreground: int) -> dict[str, float]:
    """Those of `MEASURED`, between 0 and 1, of masks (H, W). foreground: pixels of any annotated object."""
    wrong = int(np.count_nonzero(prediction & ~truth))
    return {
        "A": np.count_nonzero(prediction == truth) / truth.size,
        "A_255": np.count_nonzero(~(prediction | truth)) / truth.size,
        "R_255": _robustness(255 * wrong, foreground),
        "R_binary": _robustness(wrong, foreground),
    }


def _robustness(wrong: int, foreground: int) -> float:
    return max(1 - wrong / (foreground + 1e-6), 0.0)
