"""ffmpeg as a child process that can't hang, can't outlive Python, and can't fail unnoticed.

A thread reads its log (a full pipe would stop it). It runs in a session of its own, so that the terminal's Ctrl-C reaches only
Python, which then kills it; and it is killed at the latest when Python exits.
"""

import contextlib
import os
import re
import subprocess
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import IO

from virst_cli.errors import VirstError

# every line of the log has its level: `[mov @ 0x1] [error] text`
_LOG = ("-hide_banner", "-nostats", "-loglevel", "level+info")
_BAD = re.compile(r"^(?:\[[^\]]*\] )*\[(?:error|fatal|panic)\] (.*)")
_MAX_ERRORS = 50  # that are kept; a damaged hour can print thousands


def binary() -> str:
    """The path of the ffmpeg binary. Raises VirstError if it is missing."""
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise VirstError("ffmpeg is missing; reinstall it: pip install --force-reinstall imageio-ffmpeg") from None


class Ffmpeg:
    """A running ffmpeg; `errors` holds the first errors of its log."""

    def __init__(
        self,
        arguments: Iterable[str],
        *,
        stdin: bool = False,
        stdout: bool = False,
        each_line: Callable[[str], None] | None = None,
        at_end: Callable[[], None] | None = None,
    ) -> None:
        """Starts ffmpeg.

        stdin, stdout: open a pipe to write to, or to read from.
        each_line: called by a thread with every line of the log.
        at_end: called by that thread after the last line.
        """
        self.errors: list[str] = []  # the first names the cause, later ones only follow from it
        self._process = subprocess.Popen(
            [binary(), *_LOG, *arguments],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            restore_signals=False,  # a file beyond the size limit is then an error in the log, not a death by SIGXFSZ
        )
        self._finalizer = weakref.finalize(self, _kill, self._process)  # also runs when Python exits
        self._drain = threading.Thread(
            target=_drain, args=(self._process.stderr, self.errors, each_line, at_end), name="ffmpeg log", daemon=True
        )
        self._drain.start()

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe to write to, if one was opened."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe to read from, if one was opened."""
        assert self._process.stdout is not None
        return self._process.stdout

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end, and returns the exit status. Raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        status = self._process.wait(timeout)
        self._drain.join()
        self._finalizer()  # nothing left to kill; closes the pipes
        return status

    def kill(self) -> None:
        """Ends ffmpeg at once, whatever it is doing. Leaves no zombie."""
        self._finalizer()
        self._drain.join()


def _drain(
    pipe: IO[bytes],
    errors: list[str],
    each_line: Callable[[str], None] | None,
    at_end: Callable[[], None] | None,
) -> None:
    with pipe:
        for raw in pipe:
            line = os.fsdecode(raw).rstrip("\r\n")
            bad = _BAD.match(line)
            if bad and len(errors) < _MAX_ERRORS:
                errors.append(bad[1].strip())
            if each_line is not None:
                each_line(line)
    if at_end is not None:
        at_end()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # it died with bytes of ours unread
                pipe.close()
