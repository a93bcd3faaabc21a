"""virst batch --engine ray, on a cluster of two workers that the command starts."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.batch.clips import write_clip
from tests.commands.running import PATIENCE, environment, ffmpegs_of, lives, until
from tests.commands.test_interrupted import frames_in

pytestmark = pytest.mark.slow
LONG = 40  # frames


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """One long video, two short ones, and a file that is not a video."""
    write_clip(tmp_path / "long.mp4", seed=0, frames=LONG)
    for seed in (1, 2):
        write_clip(tmp_path / f"short{seed}.mp4", seed=seed)
    (tmp_path / "bad.mp4").write_text("This is not a video.\n" * 100)
    with (tmp_path / "jobs.csv").open("w", newline="") as file:
        rows = [(name, "the dog") for name in ("long.mp4", "bad.mp4", "short1.mp4", "short2.mp4")]
        csv.writer(file).writerows([("video", "text"), *rows])
    return tmp_path / "jobs.csv"


def start(jobs: Path, model: Path, *options: str) -> "subprocess.Popen[str]":
    """Start a batch in the folder of its jobs file."""
    command = [sys.executable, "-m", "virst_cli", "batch", "jobs.csv", "--model", str(model), "-f", "mask-video", "--chunk", "16"]
    return subprocess.Popen(
        [*command, *options],
        cwd=jobs.parent,
        env=environment({"OMP_NUM_THREADS": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ray(jobs: Path, model: Path) -> "subprocess.Popen[str]":
    return start(jobs, model, "--engine", "ray", "--workers", "2", "-o", "ray", "--json")


def halfway(jobs: Path, batch: "subprocess.Popen[str]") -> int:
    """Wait until the long video is halfway; returns the id of the process that works on it."""
    folder = jobs.parent / "ray" / "long.virst"
    until(lambda: frames_in(folder) >= 20 or batch.poll() is not None, "20 frames of the long video")
    assert batch.poll() is None, batch.communicate()
    (worker,) = [pid for pid in family(batch.pid) if has_open(pid, folder / ".lock")]
    return worker


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):  # closed in the meantime
            if link.readlink() == path:
                return True
    return False


def family(pid: int) -> set[int]:
    """All descendants of a process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, more = set(), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


def test_a_killed_worker_costs_only_its_video_and_all_masks_are_those_of_the_local_engine(jobs: Path, seeing: Path):
    with start(jobs, seeing, "-o", "local", "-q") as local:
        local.communicate(timeout=PATIENCE)
    assert local.returncode == 1, "one file is not a video"
    with ray(jobs, seeing) as batch:
        os.kill(halfway(jobs, batch), signal.SIGKILL)
        out, err = batch.communicate(timeout=PATIENCE)
    assert batch.returncode == 1, err
    answers = {Path(one["run"]).name: one for one in map(json.loads, out.splitlines())}
    assert {name: one["error"] is None for name, one in answers.items()} == {
        "long.virst": True,
        "bad.virst": False,
        "short1.virst": True,
        "short2.virst": True,
    }
    assert "virst: error: 1 of 4 videos failed" in err
    for name in ("long.virst", "short1.virst", "short2.virst"):
        masks = [(jobs.parent / engine / name / "masks.jsonl").read_bytes() for engine in ("local", "ray")]
        assert masks[0] == masks[1], name


def test_ctrl_c_stops_it_in_two_seconds_and_nothing_is_left_running(jobs: Path, seeing: Path):
    with ray(jobs, seeing) as batch:
        worker = halfway(jobs, batch)
        processes = family(batch.pid)
        assert worker in processes
        assert ffmpegs_of(worker)
        start_time = time.monotonic()
        batch.send_signal(signal.SIGINT)
        _, err = batch.communicate(timeout=PATIENCE)
        assert time.monotonic() - start_time < 2
    assert batch.returncode == 130
    assert "virst: error: interrupted" in err
    assert not [pid for pid in processes if lives(pid)]
    assert frames_in(jobs.parent / "ray" / "long.virst") >= 20


def test_after_kill_9_nothing_is_left_running_either(jobs: Path, seeing: Path):
    with ray(jobs, seeing) as batch:
        halfway(jobs, batch)
        processes = family(batch.pid)
        batch.kill()
    until(lambda: not [pid for pid in processes if lives(pid)], "the end of all that was started")
