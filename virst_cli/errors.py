"""All errors that a user can cause or fix, as a tree; each class carries its exit code.

    VirstError              1   anything else that failed
    ├── UsageError          2   the request is not possible
    │   ├── VideoError      2   a video can't be read
    │   ├── SentenceError   2   a sentence can't be used
    │   └── OutputError     2   a result exists already, or a folder can't be written
    ├── WeightsError        4   weights are missing or damaged
    ├── OutOfMemory         5   RAM or GPU memory is too small
    └── DiskFull            5   the disk is too small for the result

A message says in one line what is wrong, why, and which command or option fixes it. Exit code 3 (nothing found in the video)
and 130/143 (interrupted) are results of a run, not errors; they are set in `commands`.
"""


class VirstError(Exception):
    """An error that the user can act on; shown as one line, without a traceback."""

    exit_code = 1


class UsageError(VirstError):
    """The request is not possible: an option is wrong, or options contradict each other."""

    exit_code = 2


class VideoError(UsageError):
    """A video can't be read."""


class SentenceError(UsageError):
    """A sentence can't be used: it is empty, too long, or contains control tokens."""


class OutputError(UsageError):
    """A result exists already, or a folder can't be written."""


class WeightsError(VirstError):
    """Weights are missing, damaged, or do not fit the model."""

    exit_code = 4


class OutOfMemory(VirstError):
    """RAM or GPU memory is too small; the message names the option that helps."""

    exit_code = 5


class DiskFull(VirstError):
    """The disk is too small for the result; no unfinished file is left under its final name."""

    exit_code = 5
