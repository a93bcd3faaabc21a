"""Whatever went wrong, as one of our errors: it has one line, and an exit code."""

import errno

from virst_cli import memory
from virst_cli.errors import DiskFull, VirstError


def explained(error: BaseException) -> VirstError:
    """The error itself where it is one of ours; else memory or disk ran out, or it is a bug."""
    if isinstance(error, VirstError):
        return error
    if memory.is_shortage(error):
        return memory.shortage()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{error.filename or 'output'}: the disk is full; free some space, or choose another folder with -o")
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return VirstError(f"{what} (this is a bug; VIRST_DEBUG=1 shows the traceback)")
