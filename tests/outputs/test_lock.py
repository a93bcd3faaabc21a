"""Two processes never write one folder, and a dead one is in nobody's way."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from virst_cli.errors import OutputError
from virst_cli.outputs.lock import NAME, Lock
from virst_cli.outputs.record_writer import RecordWriter

HOLD = """
import sys, time
from pathlib import Path
from virst_cli.outputs.lock import Lock
Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""

RACE = """
import sys
from pathlib import Path
from virst_cli.errors import OutputError
from virst_cli.outputs.lock import Lock
sys.stdin.readline()
try:
    Lock(Path(sys.argv[1]))
    print("mine", flush=True)
except OutputError:
    print("taken", flush=True)
sys.stdin.readline()
"""


def child(code, folder, stdin=None):
    return subprocess.Popen([sys.executable, "-c", code, folder], stdin=stdin, stdout=subprocess.PIPE, text=True)


def test_a_held_folder_is_refused_until_it_is_let_go(tmp_path):
    lock = Lock(tmp_path)
    with pytest.raises(OutputError, match="another virst process"):
        Lock(tmp_path)
    lock.close()
    with Lock(tmp_path):
        lock.close()  # a second time must not take another's lock away
        assert (tmp_path / NAME).exists()
    assert list(tmp_path.iterdir()) == []


def test_another_process_is_kept_out_and_a_killed_one_is_not_waited_for(tmp_path, manifest):
    with child(HOLD, tmp_path) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another virst process"):
            RecordWriter.open(tmp_path, manifest, overwrite=True, resume=True)
        holder.kill()
        holder.wait()
    with Lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_find_a_stale_lock_one_takes_it(tmp_path):
    with child(HOLD, tmp_path) as holder:
        holder.stdout.readline()
        holder.kill()
    racers = [child(RACE, tmp_path, stdin=subprocess.PIPE) for _ in range(3)]
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    answers = [racer.stdout.readline() for racer in racers]
    for racer in racers:
        racer.communicate("\n")
    assert sorted(answers) == ["mine\n", "taken\n", "taken\n"]


@pytest.mark.parametrize(
    "holder",
    [
        {"pid": 2**40, "host": socket.gethostname(), "started": "1"},  # no system counts that far
        {"pid": os.getpid(), "host": socket.gethostname(), "started": "before the reboot"},
    ],
)
def test_a_number_that_is_no_process_or_another_one_by_now_is_stale(tmp_path, holder):
    (tmp_path / NAME).write_text(json.dumps(holder))
    with Lock(tmp_path):
        pass


def test_a_process_on_another_machine_is_believed_to_live(tmp_path):
    (tmp_path / NAME).write_text(json.dumps({"pid": 2**40, "host": "elsewhere", "started": ""}))
    with pytest.raises(OutputError, match=NAME):
        Lock(tmp_path)


def test_a_lock_whose_maker_was_killed_before_it_wrote_its_name_is_stale(tmp_path):
    (tmp_path / NAME).touch()
    with Lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_whose_maker_is_about_to_write_its_name_is_held(tmp_path):
    with Lock(tmp_path) as lock:
        named = lock.path.read_text()
    (tmp_path / NAME).touch()
    writer = threading.Timer(0.3, (tmp_path / NAME).write_text, [named])
    writer.start()
    with pytest.raises(OutputError, match=NAME):
        Lock(tmp_path)
    writer.join()
