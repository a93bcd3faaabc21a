"""How much memory this process has used, and how much it could still have."""

import sys
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")  # of a container, as it sees itself


def peak_bytes() -> int:
    """The most memory that this process ever had, in bytes; or what it ever had on the GPU, if that is more."""
    return max(_peak_of_this_process(), gpu_memory()[0])


def free_bytes() -> int | None:
    """Free memory in bytes: of the GPU if one is in use, else of the machine, within the limits of this process.

    None where the system does not say.
    """
    used, free = gpu_memory()
    if used:
        return free
    known = [free for free in (_of_the_machine(), _of_the_container(), _of_this_process()) if free is not None]
    return min(known, default=None)


def release_freed() -> None:
    """Returns freed memory to the system; glibc keeps blocks of less than 32 MB for itself otherwise."""
    if sys.platform == "linux":
        import ctypes

        with suppress(AttributeError, OSError):  # another libc, which has no such function
            ctypes.CDLL(None).malloc_trim(0)


def readable(size: float) -> str:
    """A number of bytes, as people read it.

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
    """Bytes that the container's limit leaves. Cached pages of files count as free: the system drops them when it needs room."""
    with suppress(OSError, ValueError, IndexError):
        limit = int((_CGROUP / "memory.max").read_text())  # "max": there is none
        used = int((_CGROUP / "memory.current").read_text())
        facts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return max(0, limit - used + int(facts.get("inactive_file", 0)))
    return None


def _of_this_process() -> int | None:
    """Bytes that `ulimit -v` leaves."""
    with suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            return max(0, limit - pages * resource.getpagesize())
    return None


def gpu_memory() -> tuple[int, int]:
    """(peak, free) bytes on the GPU; (0, 0) where none is in use. Does not import torch."""
    torch = sys.modules.get("torch")
    with suppress(Exception):  # torch may be half-imported, or broken by the very lack of memory that is being reported
        if torch is not None and torch.cuda.is_initialized():
            return int(torch.cuda.max_memory_allocated()), int(torch.cuda.mem_get_info()[0])
    return 0, 0
