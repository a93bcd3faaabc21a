"""How fast this machine is, for estimates: its matrix products are timed for a fifth of a second, when an estimate asks."""

import time

MATRIX_SIZE = 1024  # rows and columns of the matrices that are multiplied
MEASURE_SECONDS = 0.2
MODEL_EFFICIENCY = 0.5  # share of that speed that a whole model reaches; seen on CPUs with the published sizes

SECONDS_PER_FRAME, SECONDS_PER_PIXEL = 0.025, 75e-9  # for decoding, painting and writing; seen on one core


def frame_io_seconds(pixels: int) -> float:
    """Seconds that decoding, painting and writing a frame of `pixels` pixels takes, whatever the model."""
    return SECONDS_PER_FRAME + SECONDS_PER_PIXEL * pixels


def macs_per_second(device: str, dtype: str) -> float:
    """Multiply-adds per second that a model can be expected to do.

    device: as `--device` takes it.
    dtype: torch's name of it, such as "bfloat16".
    """
    import torch

    from virst_cli.machine.devices import resolve_device

    matrix = torch.ones(MATRIX_SIZE, MATRIX_SIZE, dtype=getattr(torch, dtype), device=resolve_device(device))
    matrix @ matrix  # warms up, and is not counted
    quickest, end = float("inf"), time.perf_counter() + MEASURE_SECONDS
    while (began := time.perf_counter()) < end:
        (matrix @ matrix)[0, 0].item()  # waits for the device
        quickest = min(quickest, time.perf_counter() - began)  # other programs may be at work, too
    return MODEL_EFFICIENCY * MATRIX_SIZE**3 / quickest
