"""Running out of memory: how it is recognised whichever library ran out, and the error that is shown for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from virst_cli.errors import DiskFull, OutOfMemory, VirstError
from virst_cli.files.atomic import is_disk_full
from virst_cli.machine.memory import free_bytes, gpu_memory, peak_bytes, readable

# what libraries say when malloc, mmap or the GPU's allocator gave nothing; several raise a plain RuntimeError or ImportError
_PHRASES = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "failed to map segment",
    "not enough memory",
    "can't start new thread",
)
_AMBIGUOUS = "could not create a "  # what oneDNN says for want of memory and for other reasons: "primitive", "memory object"
_NEARLY_NONE = 100_000_000  # bytes free; with less, an ambiguous message means want of memory


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError | ImportError | OSError):
        return False
    said = str(error).lower()
    if said.startswith(_AMBIGUOUS):
        free = free_bytes()
        return free is not None and free < _NEARLY_NONE
    return any(phrase in said for phrase in _PHRASES)


def out_of_memory(stage: str | None = None, remedies: Sequence[str] = ()) -> OutOfMemory:
    """The error to show: the stage in which memory ran out, peak, free, and the options that help.

    stage: of the run; None where it is not known.
    remedies: what helps in this case; by default whatever may help in any.
    """
    used, _ = gpu_memory()
    free = free_bytes()
    left = "" if free is None else f", {readable(free)} free"
    tried = list(remedies) or ["--dtype bfloat16", "fewer sentences at once", "--device cpu" if used else "a smaller --model"]
    what = " or ".join(tried) if len(tried) < 3 else f"{', '.join(tried[:-1])}, or {tried[-1]}"
    where = "" if stage is None else f" at {str(stage)!r}"
    return OutOfMemory(f"out of memory{where} (peak {readable(peak_bytes())}{left}); try {what}")


@contextmanager
def naming_stage(stage: str, remedies: Sequence[str] = ()) -> Iterator[None]:
    """Raises an OutOfMemory that names the stage when memory runs out in the block."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory(stage, remedies) from error
        raise


def as_virst_error(error: BaseException) -> VirstError:
    """Any exception as a VirstError: itself where it is one; else memory or disk ran out, or it is a bug."""
    if isinstance(error, VirstError):
        return error
    if is_out_of_memory(error):
        return out_of_memory()
    if is_disk_full(error):
        return DiskFull(
            f"{getattr(error, 'filename', None) or 'output'}: the disk is full; free some space, or choose another folder with -o"
        )
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return VirstError(f"{what} (this is a bug; VIRST_DEBUG=1 shows the traceback)")
