"""Two processes never write to one folder, and a dead one does not block it."""

import subprocess
import sys

import pytest

from virst_cli.errors import OutputError
from virst_cli.files.lock import NAME, Lock

HOLD = """
import sys, time
from pathlib import Path
from virst_cli.files.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""

RACE = """
import sys
from pathlib import Path
from virst_cli.errors import OutputError
from virst_cli.files.lock import Lock
sys.stdin.readline()
try:
    lock = Lock(Path(sys.argv[1]))
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


def test_another_process_is_kept_out_and_a_killed_one_is_not_waited_for(tmp_path):
    with child(HOLD, tmp_path) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another virst process"):
            Lock(tmp_path)
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


@pytest.mark.parametrize("left", ["", '{"pid": 1, "host": "elsewhere"}'])
def test_a_file_that_nobody_holds_is_no_lock(tmp_path, left):
    (tmp_path / NAME).write_text(left)
    with Lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_moves_with_its_folder(tmp_path):
    (tmp_path / "new").mkdir()
    with Lock(tmp_path / "new") as lock:
        (tmp_path / "new").rename(tmp_path / "final")
        lock.path = tmp_path / "final" / NAME
        with pytest.raises(OutputError, match="another virst process"):
            Lock(tmp_path / "final")
    assert list((tmp_path / "final").iterdir()) == []
