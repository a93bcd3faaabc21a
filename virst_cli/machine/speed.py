"""How fast things go: what this machine calculates is measured for a fifth of a second, when it is asked."""

import time

MATRIX_SIZE = 1024  # of the matrices that are multiplied
MEASURE_SECONDS = 0.2  # seconds
MODEL_EFFICIENCY = 0.5  # of that speed, which a whole model reaches; seen on CPUs with the published sizes

SECONDS_PER_FRAME, SECONDS_PER_PIXEL = 0.025, 75e-9  # seconds for decoding, painting and writing; seen on one core


def frame_io_seconds(pixels: int) -> float:
    """Seconds that a frame of so many pixels takes, whatever the model."""
    return SECONDS_PER_FRAME + SECONDS_PER_PIXEL * pixels


def macs_per_second(device: str, dtype: str) -> float:
    """Multiply-adds a second that a model can be expected to do. device as in `--device`; dtype: a name that torch has."""
    import torch

    from virst_cli.machine.devices import resolve_device

    matrix = torch.ones(MATRIX_SIZE, MATRIX_SIZE, dtype=getattr(torch, dtype), device=resolve_device(device))
    matrix @ matrix  # what the first one prepares does not count
    quickest, end = float("inf"), time.perf_counter() + MEASURE_SECONDS
    while (began := time.perf_counter()) < end:
        (matrix @ matrix)[0, 0].item()  # waits for the device
        quickest = min(quickest, time.perf_counter() - began)  # others may be at work, too, and come and go
    return MODEL_EFFICIENCY * MATRIX_SIZE**3 / quickest
