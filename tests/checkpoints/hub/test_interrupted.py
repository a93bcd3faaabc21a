"""Downloads that are disturbed: they continue where they stopped, and two at once do not disturb each other."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.checkpoints.hub.conftest import MODEL, Virst, record
from tests.checkpoints.hub.server import Hub
from tests.commands.running import environment, until

ENOUGH = 1 << 20  # bytes that have come in when something happens
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a command and does not wait for it."""
    started = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "virst_cli", *arguments]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def unfinished(cache: Path, shard: str) -> Path:
    """Where the weights are while they come in."""
    return cache / "models--someone--virst-tiny" / "blobs" / f"{shard}.incomplete"


def has_bytes(path: Path, size: int) -> Callable[[], bool]:
    return lambda: path.exists() and path.stat().st_size >= size


def held(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder.strip()).iterdir()}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_was_stopped_continues_where_it_was(
    how, hub: Hub, model, shard, start: Start, virst: Virst, unfinished, cache
):
    stalled = hub.fails(shard, stall=2 * ENOUGH)
    process = start("weights", "pull", MODEL)
    until(has_bytes(unfinished, ENOUGH), "something has come in")
    process.send_signal(how)
    assert process.wait() in (-signal.SIGKILL, 130)
    stalled.released.set()
    have = unfinished.stat().st_size
    assert not (cache / "models--someone--virst-tiny" / "virst.json").exists()
    assert virst("weights", "path", MODEL).code == 4  # half a model does not count
    done = virst("weights", "pull", MODEL)
    assert done.code == 0, done.err
    assert held(done.out) == model
    assert [request.range for request in hub.asked(shard)] == [None, f"bytes={have}-"]
    assert not list(cache.rglob("*.incomplete"))


def test_a_server_that_knows_no_ranges_sends_everything_again(hub: Hub, model, shard, start: Start, virst: Virst, unfinished):
    hub.fails(shard, stall=2 * ENOUGH).released.set()
    hub.fails(shard, no_ranges=True, times=9)
    process = start("weights", "pull", MODEL)
    process.communicate()
    assert held(virst("weights", "pull", MODEL).out) == model


def test_a_rest_that_is_longer_than_the_file_is_deleted(hub: Hub, model, shard, virst: Virst, unfinished):
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(bytes(len(model["model.safetensors"]) + 1))
    assert held(virst("weights", "pull", MODEL).out) == model


def test_a_damaged_rest_is_refused_and_the_next_try_works(hub: Hub, model, shard, virst: Virst, unfinished):
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(bytes(ENOUGH))
    done = virst("weights", "pull", MODEL)
    assert done.code == 4
    assert f"expected sha256 {shard}, got " in done.error
    assert held(virst("weights", "pull", MODEL).out) == model


def test_a_broken_connection_is_resumed(hub: Hub, model, shard, virst: Virst):
    hub.fails(shard, cut=ENOUGH, times=2)
    done = virst("weights", "pull", MODEL)
    assert done.code == 0, done.err
    assert held(done.out) == model
    assert [request.range is None for request in hub.asked(shard)] == [True, False, False]
    assert "Error" not in done.err  # a short interruption is not reported


def test_a_hub_that_is_too_busy_is_asked_again(hub: Hub, model, shard, virst: Virst):
    hub.fails(shard, status=429, headers={"Retry-After": "0"})
    assert virst("weights", "pull", MODEL).code == 0


@pytest.mark.slow
def test_a_stalled_connection_is_resumed(hub: Hub, model, shard, virst: Virst):
    hub.fails(shard, stall=ENOUGH)
    done = virst("weights", "pull", MODEL, env={"HF_HUB_DOWNLOAD_TIMEOUT": "1"})
    assert done.code == 0, done.err
    assert held(done.out) == model


def test_two_at_once_fetch_everything_once(hub: Hub, model, shard, start: Start, unfinished, cache):
    stalled = hub.fails(shard, stall=ENOUGH)
    first = start("weights", "pull", MODEL)
    until(has_bytes(unfinished, ENOUGH), "the first one has something")
    second = start("weights", "pull", MODEL)
    until(lambda: waits_for_a_lock(second.pid), "the second one waits")
    stalled.released.set()
    outputs = [process.communicate() for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert held(outputs[0][0]) == model
    assert len(hub.asked("/api/models")) == 1
    assert record(cache)["sha256"]


def waits_for_a_lock(pid: int) -> bool:
    """Whether a process has the lock file open; it is not the one that holds it."""
    try:
        return any(link.readlink().name == "virst.lock" for link in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False
