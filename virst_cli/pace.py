"""How fast things go: what this machine calculates is measured for a fifth of a second, when it is asked."""

import time

ROWS = 1024  # of the matrices that are multiplied
MEASURED = 0.2  # seconds
SHARE = 0.5  # of that speed, which a whole model reaches; seen on CPUs with the published sizes

A_FRAME, A_PIXEL = 0.025, 75e-9  # seconds for decoding, painting and writing; seen on one core


def beside_the_model(pixels: int) -> float:
    """Seconds that a frame of so many pixels takes, whatever the model."""
    return A_FRAME + A_PIXEL * pixels


def operations_a_second(device: str, dtype: str) -> float:
    """Multiply-adds a second that a model can be expected to do. device as in `--device`; dtype: a name that torch has."""
    import torch

    from virst_cli.devices import choose

    matrix = torch.ones(ROWS, ROWS, dtype=getattr(torch, dtype), device=choose(device))
    matrix @ matrix  # what the first one prepares does not count
    quickest, end = float("inf"), time.perf_counter() + MEASURED
    while (began := time.perf_counter()) < end:
        (matrix @ matrix)[0, 0].item()  # waits for the device
        quickest = min(quickest, time.perf_counter() - began)  # others may be at work, too, and come and go
    return SHARE * ROWS**3 / quickest
