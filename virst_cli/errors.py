"""Everything that can go wrong for a user, as a tree; the exit code is part of the error.

    VirstError              1   failed
    ├── UsageError          2   the request can't be met as it stands
    │   ├── VideoError      2   a video that can't be read
    │   ├── SentenceError   2   a sentence that can't be asked
    │   └── OutputError     2   a result that exists already, or a folder that can't be written
    ├── WeightsError        4   weights missing or damaged
    ├── OutOfMemory         5   neither RAM nor VRAM is enough
    └── DiskFull            5   no room for the result

A message says what, why, and the command that fixes it, in one line. Code 3 (nothing found in the video) and 130/143
(interrupted) are results of a run, not errors; `commands` sets them.
"""


class VirstError(Exception):
    """A failure that the user can act on; shown as one line, without a traceback."""

    exit_code = 1


class UsageError(VirstError):
    """The request can't be met as it stands."""

    exit_code = 2


class VideoError(UsageError):
    """A video that can't be read. Says what, why, and what to do."""


class SentenceError(UsageError):
    """A sentence that can't be asked: empty, too long, or holding control tokens."""


class OutputError(UsageError):
    """A result that exists already, or a folder that can't be written."""


class WeightsError(VirstError):
    """Weights that are missing, damaged, or do not fit the model."""

    exit_code = 4


class OutOfMemory(VirstError):
    """Neither the device nor the machine has room; names the flag that helps."""

    exit_code = 5


class DiskFull(VirstError):
    """No room left for the result; nothing was left under a final name."""

    exit_code = 5
