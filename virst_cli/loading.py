"""`virst_cli.load()`: from a model's name to a `Segmenter` on the best device."""

from pathlib import Path

import torch

from virst_cli.checkpoints.store import find
from virst_cli.checkpoints.trust import verify_once
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.errors import UsageError
from virst_cli.plan import CHUNK
from virst_cli.segmenter import Segmenter

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(
    model: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    chunk: int = CHUNK,
    faithful: bool = False,
) -> Segmenter:
    """Open a model, ready to segment.

    model: a name (`virst-nano`), a model folder, a model on the Hub (`owner/name`, `owner/name@revision`; downloaded if it is not
    here), or nothing for the best that is installed.
    device: `auto` (an accelerator if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
    dtype: `auto` (bfloat16 on an accelerator and for models that fill the memory, else float32), `float32`, `bfloat16`,
    `float16`. chunk: frames that share anchors; memory does not depend on it. faithful: encode the fusion frames apart,
    with the published code's other resize filter; slower, for comparison with papers.

    Raises WeightsError (exit code 4) when the model is missing or damaged, UsageError for a device or dtype that is not there.
    """
    folder = ModelFolder.open(find(None if model is None else str(model)))
    verify_once(folder.path)
    chosen = _device(device)
    if chunk < 1:
        raise UsageError(f"a chunk of {chunk} frames is none; use --chunk 256")
    return Segmenter(folder, device=chosen, dtype=_dtype(dtype, chosen, folder), chunk=chunk, faithful=faithful)


def _device(name: str) -> torch.device:
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} can't be used ({reason}); try --device cpu") from None
    return device


def _dtype(name: str, device: torch.device, folder: ModelFolder) -> torch.dtype:
    if name == "auto":
        large = folder.config.language.width > 1024
        return torch.bfloat16 if device.type != "cpu" or large else torch.float32
    if name not in DTYPES:
        raise UsageError(f"dtype {name!r} is not known; choose auto, {', '.join(DTYPES)}")
    return DTYPES[name]
