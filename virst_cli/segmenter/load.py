"""`virst_cli.load()`: from a model's name to a `Segmenter` on the best device."""

from pathlib import Path

import torch

from virst_cli.checkpoints.find import find_model
from virst_cli.checkpoints.sizes import Sizes, is_small
from virst_cli.checkpoints.verify_once import verify_once
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.peak_memory import PeakMemory
from virst_cli.cost.residency import choose_residency
from virst_cli.errors import UsageError
from virst_cli.machine import devices, dtypes
from virst_cli.machine.memory import free_bytes
from virst_cli.segmenter.segmenter import Segmenter


def load(
    model: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    chunk: int | None = None,
    faithful: bool = False,
    max_memory: int | None = None,
    many: bool = True,
) -> Segmenter:
    """Open a model, ready to segment.

    model: a name (`virst-nano`), a model folder, a model on the Hub (`owner/name`, `owner/name@revision`; downloaded if it is not
    here), or nothing for the best that is installed.
    device: `auto` (an accelerator if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
    dtype: `auto` (bfloat16 on an accelerator, and for large models on a CPU that has it; else float32), `float32`, `bfloat16`,
    `float16`. chunk: frames that share anchors, by default as many as suit the model; memory does not depend on it.
    faithful: encode the fusion frames apart, with the published code's other resize filter; slower, for comparison with papers.
    max_memory: bytes that it may take, of the device or, on the CPU, of the machine; by default most of what is free. many: more
    than one video is to come, so that weights that stay in memory save time.

    Raises WeightsError (exit code 4) when the model is missing or damaged, UsageError for a device or dtype that is not there,
    OutOfMemory when `max_memory` is too little for one sentence about a 720p video.
    """
    folder = ModelFolder.open(find_model(None if model is None else str(model)))
    verify_once(folder.path)
    chosen = devices.resolve_device(device)
    if chunk is not None and chunk < 1:
        raise UsageError(f"a chunk of {chunk} frames is none; leave out --chunk for what suits the model")
    precision_name = dtypes.resolve_dtype(dtype, language_width=folder.config.language.width, on_device=chosen.type != "cpu")
    footprint = PeakMemory(
        folder.config, Sizes.of(folder.path), dtypes.ITEM_BYTES[precision_name], on_device=chosen.type != "cpu"
    )  # fmt: skip
    stay = choose_residency(
        footprint.by_stage,
        small=is_small(folder.path),
        many=many,
        free=torch.cuda.mem_get_info(chosen)[0] if chosen.type == "cuda" else free_bytes(),
        limit=max_memory,
    )
    return Segmenter(
        folder, device=chosen, dtype=getattr(torch, precision_name), chunk=chunk, faithful=faithful, stay=stay
    )  # fmt: skip
