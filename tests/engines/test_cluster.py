"""The engine on a real Ray cluster on this machine: its workers, their deaths, and what is left afterwards."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.running import lives, until
from tests.engines.toys import Did, Toy, ignore_item_progress
from virst_cli.engines import open_engine
from virst_cli.engines.worker_pool import MAX_ATTEMPTS
from virst_cli.errors import UsageError, VirstError


def test_without_ray_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"needs Ray, which is not installed: pip install 'virst\[cluster\]'"):
        open_engine("ray", device="auto")


def test_a_numbered_gpu_is_refused_on_a_cluster():
    with pytest.raises(UsageError, match="on a cluster use --device cuda"):
        open_engine("ray", device="cuda:1")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_listens_is_refused_at_once(scheme: str, tmp_path: Path):
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"the Ray cluster at {address} can't be reached"):
            next(open_engine("ray", device="auto", ray_address=address).map(Toy(tmp_path), ["a"], ignore_item_progress))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster that claims to have two GPUs."""
    command = [sys.executable, str(Path(__file__).with_name("host.py"))]
    env = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as host:
        assert host.stdout is not None
        address = host.stdout.readline().strip()
        assert address, "the cluster did not start"
        yield address


def run_all(
    cluster: str, folder: Path, items: list[str], *, device: str = "cpu", workers: int | None = None, broken: bool = False
) -> dict[str, Any]:
    """The result of each item."""
    engine = open_engine("ray", device=device, ray_address=cluster, workers=workers)
    results = list(engine.map(Toy(folder, broken), items, ignore_item_progress))
    assert sorted(index for index, _ in results) == list(range(len(items))), "every item must finish once"
    return {items[index]: result for index, result in results}


@pytest.mark.slow
def test_two_workers_work_at_the_same_time_and_each_is_made_once(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    results = run_all(cluster, tmp_path, ["waits 1", "waits 2", "a", "b"], workers=2)
    assert len({did.pid for did in results.values()}) == 2
    assert len(list(tmp_path.glob("made-*"))) == 2
    assert {did.device for did in results.values()} == {"cpu"}
    assert {did.threads for did in results.values()} == {"3"}, "kernels round differently with another number of threads"


@pytest.mark.slow
def test_the_item_of_a_killed_worker_is_done_again(cluster: str, tmp_path: Path):
    results = run_all(cluster, tmp_path, ["kills once", "kills always", "a", "b"], workers=2)
    assert [results[item].item for item in ("kills once", "a", "b")] == ["kills once", "a", "b"]
    assert isinstance(results["kills always"], VirstError)
    assert f"its worker died {MAX_ATTEMPTS} times" in str(results["kills always"])


@pytest.mark.slow
def test_every_worker_has_a_gpu_of_its_own_if_there_are_gpus(cluster: str, tmp_path: Path):
    results = run_all(cluster, tmp_path, ["waits 1", "waits 2"], device="auto")
    assert {(did.device, did.gpu) for did in results.values()} == {("cuda", "0"), ("cuda", "1")}


@pytest.mark.slow
def test_one_worker_per_machine_if_no_gpu_is_used(cluster: str, tmp_path: Path):
    results = run_all(cluster, tmp_path, ["a", "b", "c"])
    assert len({did.pid for did in results.values()}) == 1


@pytest.mark.slow
def test_errors_of_making_a_worker_and_of_its_work_are_raised_unchanged(cluster: str, tmp_path: Path):
    with pytest.raises(UsageError, match=r"^no cpu today$"):
        run_all(cluster, tmp_path, ["a"], broken=True)
    with pytest.raises(UsageError, match=r"^raises: this is wrong$"):
        run_all(cluster, tmp_path, ["raises"])


@pytest.mark.slow
def test_results_come_in_the_order_in_which_they_finish_and_progress_is_reported(cluster: str, tmp_path: Path):
    reported: set[tuple[object, ...]] = set()
    order: list[int] = []

    def on_progress(*progress: object) -> None:
        reported.add(progress)
        if len(order) == 2:
            (tmp_path / "go").touch()

    engine = open_engine("ray", device="cpu", ray_address=cluster, workers=2)
    for index, _ in engine.map(Toy(tmp_path), ["late", "a", "b"], on_progress):
        order.append(index)
    assert order == [1, 2, 0]
    assert (0, "work", 1, 2) in reported


@pytest.mark.slow
def test_stopping_early_ends_the_workers(cluster: str, tmp_path: Path):
    results = open_engine("ray", device="cpu", ray_address=cluster).map(Toy(tmp_path), ["a", "late", "b"], ignore_item_progress)
    _, did = next(results)
    assert isinstance(did, Did)
    results.close()
    until(lambda: not lives(did.pid), "the worker's end")
