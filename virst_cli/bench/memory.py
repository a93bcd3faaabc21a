"""How much memory the process has needed."""

import sys


def peak_memory() -> int | None:
    """The most RAM that this process has taken so far, in bytes; None on Windows, which does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, Linux KiB
