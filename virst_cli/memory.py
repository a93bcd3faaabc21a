"""How much memory was used and is left, and what to say when it was not enough."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from virst_cli.errors import OutOfMemory

# what libraries say when malloc, mmap or the GPU's allocator gave nothing; several raise a plain RuntimeError or ImportError
_PHRASES = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "failed to map segment",
    "not enough memory",
    "can't start new thread",
)
_UNEXPLAINED = "could not create a "  # what oneDNN says for want of memory and for other reasons: "primitive", "memory object"
_HARDLY_ANYTHING = 100_000_000  # bytes; with no more than that, want of memory it was
_CGROUP = Path("/sys/fs/cgroup")  # of a container, as it sees itself


def peak_bytes() -> int:
    """The most memory this process ever had, in bytes; on a GPU machine what the GPU held, if that is more."""
    return max(_peak_of_this_process(), _on_gpu()[0])


def free_bytes() -> int | None:
    """Memory that could still be had, in bytes: of the GPU if one is in use, else of the machine, as far as this process may."""
    used, free = _on_gpu()
    if used:
        return free
    known = [free for free in (_of_the_machine(), _of_the_container(), _of_this_process()) if free is not None]
    return min(known, default=None)


def is_shortage(error: BaseException) -> bool:
    """Whether an exception means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError | ImportError | OSError):
        return False
    said = str(error).lower()
    if said.startswith(_UNEXPLAINED):
        free = free_bytes()
        return free is not None and free < _HARDLY_ANYTHING
    return any(phrase in said for phrase in _PHRASES)


def shortage(stage: str | None = None, remedies: Sequence[str] = ()) -> OutOfMemory:
    """The error to show: the stage in which memory ran out, peak, free, and the flags that help.

    remedies: what helps in this case; by default whatever may help in any.
    """
    used, _ = _on_gpu()
    free = free_bytes()
    left = "" if free is None else f", {readable(free)} free"
    tried = list(remedies) or ["--dtype bfloat16", "fewer sentences at once", "--device cpu" if used else "a smaller --model"]
    what = " or ".join(tried) if len(tried) < 3 else f"{', '.join(tried[:-1])}, or {tried[-1]}"
    where = "" if stage is None else f" at {stage!r}"
    return OutOfMemory(f"out of memory{where} (peak {readable(peak_bytes())}{left}); try {what}")


@contextmanager
def during(stage: str, remedies: Sequence[str] = ()) -> Iterator[None]:
    """Raises OutOfMemory that names the stage when memory runs out in the block."""
    try:
        yield
    except Exception as error:
        if is_shortage(error):
            raise shortage(stage, remedies) from error
        raise


def give_back() -> None:
    """Hands memory that was freed back to the system; glibc keeps what it gave to anything smaller than 32 MB."""
    if sys.platform == "linux":
        import ctypes

        with suppress(AttributeError, OSError):  # another libc, which has no such function
            ctypes.CDLL(None).malloc_trim(0)


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


def _peak_of_this_process() -> int:
    with suppress(OSError, StopIteration):  # Linux: getrusage would count what the process that started this one had
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    with suppress(ImportError):  # Windows has none
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, the others KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 0


def _of_the_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_the_container() -> int | None:
    """What its limit leaves; files that were read and can be read again are no loss."""
    with suppress(OSError, ValueError, IndexError):
        limit = int((_CGROUP / "memory.max").read_text())  # "max": there is none
        used = int((_CGROUP / "memory.current").read_text())
        facts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return max(0, limit - used + int(facts.get("inactive_file", 0)))
    return None


def _of_this_process() -> int | None:
    """What `ulimit -v` leaves."""
    with suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            return max(0, limit - pages * resource.getpagesize())
    return None


def _on_gpu() -> tuple[int, int]:
    """Bytes at the peak and free now on the GPU; zeros where none is in use. Never imports torch itself."""
    torch = sys.modules.get("torch")
    with suppress(Exception):  # half-imported, or broken by the very shortage that is to be explained
        if torch is not None and torch.cuda.is_initialized():
            return int(torch.cuda.max_memory_allocated()), int(torch.cuda.mem_get_info()[0])
    return 0, 0
