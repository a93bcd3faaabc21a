"""Dtypes: the precision in which a model calculates."""

from virst_cli.errors import UsageError

ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes of one number
WIDE_MODEL = 1024  # width of a language model; a wider one is faster and smaller in bfloat16, where the processor has it


def resolve_dtype(name: str, *, language_width: int, on_device: bool) -> str:
    """The dtype that `--dtype NAME` means, by torch's name for it.

    name: `auto` (bfloat16 on an accelerator, and for wide models on a CPU that has it; else float32) or a key of ITEM_BYTES.
    language_width: channels of the model's language model.
    on_device: whether the model runs on an accelerator.
    Raises UsageError for an unknown name.
    """
    if name == "auto":
        return "bfloat16" if on_device or (language_width > WIDE_MODEL and cpu_has_bfloat16()) else "float32"
    if name not in ITEM_BYTES:
        raise UsageError(f"dtype {name!r} is not known; choose auto, {', '.join(ITEM_BYTES)}")
    return name


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively; elsewhere products take thirty times as long as in float32."""
    import torch

    there = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return there and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
