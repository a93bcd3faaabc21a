"""A and R by counting: pixels by hand, against the published arithmetic on stored bytes."""

import numpy as np
import pytest

from virst_cli.bench.robustness import MEASURED, accuracy_and_robustness


def as_published(stored: np.ndarray, truth: np.ndarray, foreground: np.ndarray) -> tuple[float, float]:
    """A and R of uint8 arrays, as the spec writes them."""
    accuracy = float(np.mean(truth == stored))
    wrong = ((1 - truth) * stored).sum()
    return accuracy, max(1 - wrong / (foreground.sum() + 1e-6), 0)


@pytest.mark.parametrize("seed", range(20))
def test_both_scales_are_those_of_the_published_arithmetic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((9, 11)) < 0.3
    prediction = truth ^ (rng.random((9, 11)) < rng.choice([0, 0.002, 0.02, 0.3]))
    foreground = truth | (rng.random((9, 11)) < 0.2)
    found = accuracy_and_robustness(prediction, truth, int(foreground.sum()))
    for scale, names in ((255, ("A_255", "R_255")), (1, ("A", "R_binary"))):
        wanted = as_published(prediction * np.uint8(scale), truth.astype(np.uint8), foreground.astype(np.uint8))
        assert tuple(found[name] for name in names) == pytest.approx(wanted, abs=1e-12)
    assert tuple(found) == MEASURED


def test_without_foreground_any_claimed_pixel_is_too_many() -> None:
    empty, one = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert accuracy_and_robustness(empty, empty, 0)["R_binary"] == 1.0
    assert accuracy_and_robustness(one, empty, 0)["R_binary"] == 0.0
