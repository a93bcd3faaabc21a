"""How much memory was used and is left, and what to say when it was not enough."""

import sys
from contextlib import suppress
from pathlib import Path

from virst_cli.errors import OutOfMemory

# what libraries say when malloc, mmap or the GPU's allocator gave nothing; several raise a plain RuntimeError or ImportError
_PHRASES = ("can't allocate memory", "cannot allocate memory", "out of memory", "failed to map segment", "not enough memory")


def peak_bytes() -> int:
    """The most memory this process ever had, in bytes; on a GPU machine what the GPU held, if that is more."""
    used = 0
    if sys.platform != "win32":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return max(used, _on_gpu()[0])


def free_bytes() -> int | None:
    """Memory that could still be had, in bytes: of the GPU if one is in use, else of the machine."""
    used, free = _on_gpu()
    if used:
        return free
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def is_shortage(error: BaseException) -> bool:
    """Whether an exception means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | ImportError | OSError) and any(p in str(error).lower() for p in _PHRASES)


def shortage() -> OutOfMemory:
    """The error to show: peak, free, and the flag that helps."""
    used, _ = _on_gpu()
    free = free_bytes()
    left = "" if free is None else f", {readable(free)} free"
    flag = "--device cpu, or --dtype bfloat16" if used else "--dtype bfloat16, fewer sentences at once, or a smaller --model"
    return OutOfMemory(f"out of memory (peak {readable(peak_bytes())}{left}); try {flag}")


def readable(size: float) -> str:
    """A number of bytes for people.

    >>> readable(1_234_567)
    '1.2 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("bytes", "kB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _on_gpu() -> tuple[int, int]:
    """Bytes at the peak and free now on the GPU; zeros where none is in use. Never imports torch itself."""
    torch = sys.modules.get("torch")
    with suppress(Exception):  # half-imported, or broken by the very shortage that is to be explained
        if torch is not None and torch.cuda.is_initialized():
            return int(torch.cuda.max_memory_allocated()), int(torch.cuda.mem_get_info()[0])
    return 0, 0
