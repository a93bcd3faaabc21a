"""The Hub on this machine, small models on it, and `virst` as a process that knows no other Hub."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.checkpoints.hub.server import Hub, sum_of
from tests.commands.running import Done, cold

MODEL = "someone/virst-tiny"
Virst = Callable[..., Done]


@pytest.fixture
def hub() -> Iterator[Hub]:
    started = Hub()
    yield started
    started.close()


@pytest.fixture
def environ(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """What a process must know to use this Hub and nothing of this machine's user."""
    return {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "VIRST_HOME": str(tmp_path / "home"),
        "HF_TOKEN": "",
        "HF_HUB_OFFLINE": "",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "HF_HUB_DISABLE_PROGRESS_BARS": "",
        "NO_PROXY": "*",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def virst(environ: dict[str, str], tmp_path: Path) -> Virst:
    """Runs a command from nothing, in the test's own folder."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Done:
        done = cold(*arguments, cwd=tmp_path, env={**environ, **(env or {})})
        assert "Traceback" not in done.err
        assert "secret" not in done.out + done.err, "a token or a signature was printed"
        return done

    return run


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The Hub's cache of those processes."""
    return tmp_path / "hf" / "hub"


@pytest.fixture
def model(random_model: Path, hub: Hub) -> dict[str, bytes]:
    """The files of a model, which is on the Hub as MODEL."""
    files = {path.name: path.read_bytes() for path in sorted(random_model.iterdir())}
    hub.publish(MODEL, {**files, "README.md": b"hello", "modeling_virst.py": b"raise SystemExit('code was run')"})
    return files


@pytest.fixture
def shard(model: dict[str, bytes]) -> str:
    """What the contents of its weights are called on the Hub: part of the path of their download."""
    return sum_of(model["model.safetensors"])


def record(cache: Path, repository: str = MODEL) -> dict[str, dict[str, str]]:
    """The record of a repository."""
    read: dict[str, dict[str, str]] = json.loads((cache / f"models--{repository.replace('/', '--')}" / "virst.json").read_text())
    return read
