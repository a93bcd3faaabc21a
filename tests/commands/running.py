"""Runs `virst` as users do: as a process, in a working folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds; only a hang takes that long, or a machine with other work


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only error line on stderr."""
        lines = [line for line in self.err.splitlines() if line.startswith("virst: error: ")]
        assert len(lines) == 1, f"one error line was expected: {self.err!r}"
        return lines[0]


class Running:
    """A command that is running, started by a `Zygote`."""

    def __init__(self, zygote: "Zygote", pid: int, out: Path, err: Path) -> None:
        self._zygote, self.pid, self._out, self._err = zygote, pid, out, err

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Done:
        code = self._zygote.ask({"wait": self.pid})
        return Done(code, self._out.read_text(errors="surrogateescape"), self._err.read_text(errors="surrogateescape"))


class Zygote:
    """The process of zygote.py, which starts commands quickly."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment({}), "OMP_NUM_THREADS": "1", "HF_HOME": str(folder / "hf")},
        )

    def ask(self, what: Mapping[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] = {}) -> Running:
        self._count += 1
        out, err = (self._folder / f"{self._count}.{name}" for name in ("out", "err"))
        request = {
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
            "environment": {"VIRST_HOME": os.environ.get("VIRST_HOME", str(self._folder / "home")), **env},
        }
        return Running(self, self.ask(request), out, err)

    def close(self) -> None:
        self._process.communicate()


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of a command: those of the tests, with this checkout as PYTHONPATH, and `extra`."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **extra}


def cold(*arguments: str | Path, cwd: Path, env: Mapping[str, str] = {}) -> Done:
    """Run `python -m virst_cli` in a new Python process."""
    command = [sys.executable, "-m", "virst_cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=PATIENCE)
    return Done(done.returncode, done.stdout, done.stderr)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until another process has done something; `what` names it in the error."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not reached in {PATIENCE} s"
        time.sleep(0.005)


def ffmpegs_of(pid: int) -> list[int]:
    """The ffmpeg processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().rpartition(")")[::2]
        except OSError:
            continue
        if "ffmpeg" in name and int(rest.split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def lives(pid: int) -> bool:
    """Whether a process is running (a zombie is not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
