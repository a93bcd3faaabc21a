"""A process is ended with all processes that it has started."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.commands.running import lives, until
from virst_cli.engines.processes import end_session

FAMILY = """
import os, subprocess, sys, time
from pathlib import Path
sleep = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(999)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
Path(sys.argv[1]).write_text(" ".join(str(child.pid) for child in children) + " .")
time.sleep(999)
"""


def test_a_session_and_its_descendants_end_at_once_and_no_other_process(tmp_path: Path):
    names = tmp_path / "pids"
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
        subprocess.Popen([sys.executable, "-c", FAMILY, str(names)], start_new_session=True) as leader,
    ):
        until(lambda: names.exists() and names.read_text().endswith("."), "two children")
        children = [int(pid) for pid in names.read_text().split()[:-1]]
        assert all(map(lives, children))
        end_session(leader.pid)
        assert not [pid for pid in (leader.pid, *children) if lives(pid)]
        assert lives(other.pid)
        assert lives(os.getpid())
        other.communicate(b"\n")


def test_a_session_that_has_ended_takes_no_time():
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as leader:
        leader.wait()
        began = time.process_time()
        end_session(leader.pid)
        assert time.process_time() - began < 0.5
