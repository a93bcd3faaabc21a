"""Devices: the one that a name such as `auto` or `cuda:1` stands for."""

import torch

from virst_cli.errors import UsageError


def resolve_device(name: str) -> torch.device:
    """The device that `--device NAME` means.

    name: `auto` (an accelerator if there is one, else the CPU), `cpu`, `cuda`, `cuda:1`, `mps`.
    Raises UsageError for a device that this machine does not have.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} can't be used ({reason}); try --device cpu") from None
    return device


def device_name(device: torch.device) -> str:
    """`cpu`, `mps`, or `cuda` with the GPU's product name, as results record it: another GPU rounds differently."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
