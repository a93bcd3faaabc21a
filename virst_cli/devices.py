"""Where a model calculates."""

import torch

from virst_cli.errors import UsageError


def choose(name: str) -> torch.device:
    """`auto` (an accelerator if there is one), `cpu`, `cuda`, `cuda:1`, `mps`. Raises UsageError for one that is not there."""
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} can't be used ({reason}); try --device cpu") from None
    return device
