"""`virst_cli.load()`: from the name of a model to a `Segmenter` on the best device."""

import os
from pathlib import Path

import torch

from virst_cli.checkpoints.find import find_model
from virst_cli.checkpoints.sizes import Sizes, is_small
from virst_cli.checkpoints.verify_once import verify_once
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.peak_memory import PeakMemory
from virst_cli.cost.residency import choose_residency
from virst_cli.errors import UsageError
from virst_cli.machine.devices import resolve_device
from virst_cli.machine.dtypes import ITEM_BYTES, resolve_dtype
from virst_cli.machine.memory import free_bytes
from virst_cli.segmenter.segmenter import Segmenter

if hasattr(os, "register_at_fork"):
    # a forked process inherits none of its parent's threads and would wait for them forever
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


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

    model: a name (`virst-nano`), a model folder, or a model on the Hub (`owner/name` or `owner/name@revision`, which is
        downloaded if it is not here). By default the best one that is installed.
    device: `auto` (an accelerator if there is one), `cpu`, `cuda`, `cuda:1` or `mps`.
    dtype: `auto` (bfloat16 on an accelerator, and for large models on a CPU that has it; else float32), `float32`, `bfloat16` or
        `float16`.
    chunk: frames that share anchors; by default as many as suit the model. Memory does not depend on it.
    faithful: resize fusion frames with the published code's other filter, which encodes them twice; for comparison with papers.
    max_memory: bytes of the device (on the CPU, of the machine) that it may take; by default most of what is free.
    many: more than one video is to come, so that weights that stay in memory save time.

    A process that is forked after this can use the segmenter, on one thread of the CPU.

    Raises WeightsError when the model is missing or damaged, UsageError for a device, dtype or chunk that can't be used, and
    OutOfMemory when `max_memory` is too little for one sentence about a 720p video.
    """
    folder = ModelFolder.open(find_model(None if model is None else str(Path(model).expanduser())))
    verify_once(folder.path)
    if chunk is not None and chunk < 1:
        raise UsageError("--chunk must be at least 1; leave it out for what suits the model")
    place = resolve_device(device)
    on_device = place.type != "cpu"
    precision = resolve_dtype(dtype, language_width=folder.config.language.width, on_device=on_device)
    peaks = PeakMemory(folder.config, Sizes.of(folder.path), ITEM_BYTES[precision], on_device=on_device)
    residency = choose_residency(
        peaks.by_stage,
        small=is_small(folder.path),
        many=many,
        free=torch.cuda.mem_get_info(place)[0] if place.type == "cuda" else free_bytes(),
        limit=max_memory,
    )
    return Segmenter(
        folder, device=place, dtype=getattr(torch, precision), chunk=chunk, faithful=faithful, residency=residency
    )  # fmt: skip
