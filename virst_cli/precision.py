"""In which numbers a model calculates."""

from virst_cli.errors import UsageError
from virst_cli.model.config import VirstConfig

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
WIDE = 1024  # width of a language model; a wider one takes less memory and time in half the bits, where the processor has them


def choose(name: str, config: VirstConfig, *, on_device: bool) -> str:
    """What `auto` means: bfloat16 on an accelerator, and for wide models on a CPU that has it; else float32.

    Raises UsageError for an unknown name.
    """
    if name == "auto":
        return "bfloat16" if on_device or (config.language.width > WIDE and halves_on_cpu()) else "float32"
    if name not in BYTES:
        raise UsageError(f"dtype {name!r} is not known; choose auto, {', '.join(BYTES)}")
    return name


def halves_on_cpu() -> bool:
    """Whether this processor multiplies bfloat16 by itself. Where not, products take thirty times as long as in float32."""
    import torch

    there = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return there and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
