"""The published weights, from nothing to masks, as the README and docs/models.md have it; and what is refused on the way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints.hub.conftest import Virst, record
from tests.checkpoints.hub.published import BASE, SAM2, install, publish
from tests.checkpoints.hub.server import TOKEN, Hub
from tests.commands.running import Done
from tests.goldens_config import CHECKPOINT
from tests.video.making import FAST, Maker
from virst_cli.checkpoints.weights import ModelFolder

README = """
virst weights pull virst-7b
virst weights import virst_checkpoint.pt
virst segment video.mp4 "the man who falls last" --model virst-7b
"""
SHARING = """
hf upload someone/virst-7b-safetensors "$(virst weights path virst-7b)"
"""
SHARED = """
virst segment video.mp4 "the man who falls last" --model someone/virst-7b-safetensors
"""


@pytest.fixture
def shell(hub: Hub, environ: dict[str, str], tmp_path: Path, virst: Virst) -> Virst:
    """Runs lines as a user types them, in a folder with the authors' checkpoint and a video."""
    publish(hub)
    path = os.pathsep.join([str(install(tmp_path / "bin")), str(Path(sys.executable).parent), os.environ["PATH"]])
    shutil.copy(CHECKPOINT / "virst_checkpoint.pt", tmp_path)

    def run(lines: str, env: dict[str, str] | None = None) -> Done:
        given = {**os.environ, **environ, "PATH": path, "HF_HUB_DISABLE_XET": "1", **(env or {})}
        done = subprocess.run(["bash", "-e"], input=lines, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=600)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.mark.slow
def test_the_commands_of_the_readme_work(hub: Hub, shell: Virst, tmp_path: Path):
    root = Path(__file__).parents[3]
    assert f"```{README}```" in (root / "README.md").read_text(encoding="utf-8")
    models = (root / "docs" / "models.md").read_text(encoding="utf-8")
    assert all(f"```{block}```" in models for block in (README, SHARING, SHARED))
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=8", "-frames:v", "4")
    Maker(tmp_path)("video.mp4", *source, *FAST)
    done = shell(README)
    assert done.code in (0, 3), done.err  # a model with random weights may find nothing
    assert "model: virst-7b, as asked for" in done.err
    shared = shell(SHARING, env={"HF_TOKEN": TOKEN})
    assert shared.code == 0, shared.err
    again = shell("virst weights rm virst-7b --yes\nrm -r video.virst" + SHARED)
    assert again.code == done.code, again.err
    assert "model: someone/virst-7b-safetensors, as asked for" in again.err
    assert (tmp_path / "video.virst" / "masks.jsonl").is_file()


def test_pull_prints_the_next_command_and_it_works(hub: Hub, shell: Virst, cache: Path, tmp_path: Path):
    pulled = shell("virst weights pull virst-7b")
    assert pulled.code == 0, pulled.err
    folders = [Path(line) for line in pulled.out.splitlines()]
    assert [sorted(path.name for path in folder.iterdir()) for folder in folders] == [
        ["merges.txt", "model.safetensors", "tokenizer_config.json", "vocab.json"],  # no code
        ["sam2.1_hiera_large.pt"],
    ]
    assert record(cache, BASE)["revisions"]["main"] == hub.repositories[BASE].names["main"]
    assert "https://drive.google.com/file/d/19PrTMWWzGHBTrZ0JTe1feH205vjHkoNx" in pulled.err
    command = pulled.err.splitlines()[-1].strip()
    with hub.silence():
        done = shell(command)
    assert done.code == 0, done.err
    folder = ModelFolder.open(Path(done.out.strip()))
    assert folder.path == tmp_path / "home" / "models" / "virst-7b"
    folder.verify()
    assert folder.config.segmentation.initial_fusion
    for words in ("low-rank updates merged", "of fusion.seg_model", "first fusion: used; its gate is 0.37"):
        assert words in done.err
    with hub.silence():
        assert "is already on this machine" in shell("virst weights pull virst-7b").err


def test_parts_are_listed_checked_and_removed(hub: Hub, shell: Virst):
    shell("virst weights pull virst-7b")
    listed = shell("virst weights list")
    assert f"{BASE}\t" in listed.out
    assert (
        "not on this machine: virst-7b (15.3 GB, downloads 16.8 GB; real videos: the published model); "
        "get it with `virst weights pull virst-7b`" in listed.err
    )
    assert f"{SAM2}: every file matches its sha256" in shell("virst weights verify").err
    assert shell(f"virst weights rm {SAM2} --yes").code == 0
    done = shell("virst weights import virst_checkpoint.pt")
    assert done.code == 4
    assert "virst weights pull virst-7b" in done.error
    assert "--sam2" in done.error


def test_a_part_that_is_not_the_pinned_one_is_not_even_fetched(hub: Hub, shell: Virst):
    hub.publish(SAM2, {"sam2.1_hiera_large.pt": bytes(5000)})
    done = shell("virst weights pull virst-7b")
    assert done.code == 4
    assert "sam2.1_hiera_large.pt has the wrong contents: expected sha256 " in done.error


@pytest.mark.slow
def test_a_part_that_was_damaged_here_is_not_imported(hub: Hub, shell: Virst):
    base = Path(shell("virst weights pull virst-7b").out.splitlines()[0])
    damaged = bytearray((base / "model.safetensors").read_bytes())
    damaged[-1] ^= 1
    (base / "model.safetensors").resolve().write_bytes(damaged)
    done = shell("virst weights import virst_checkpoint.pt")
    assert done.code == 4
    assert "model.safetensors is not the published file: expected sha256 " in done.error
    assert shell("virst weights path virst-7b").code == 4


@pytest.mark.slow
def test_a_users_own_checkpoint_needs_another_name(hub: Hub, shell: Virst, tmp_path: Path):
    with (tmp_path / "virst_checkpoint.pt").open("ab") as file:
        file.write(b"\0")  # still a good one, but another
    parts = f"--base {CHECKPOINT / 'videochat_base'} --sam2 {CHECKPOINT / 'sam2_base.pt'} --tokenizer {CHECKPOINT / 'tokenizer'}"
    done = shell(f"virst weights import virst_checkpoint.pt {parts}")
    assert done.code == 4
    assert "virst_checkpoint.pt is not the published file: expected sha256 " in done.error
    assert "--name" in done.error
    mine = shell(f"virst weights import virst_checkpoint.pt {parts} --name mine --no-initial-fusion")
    assert mine.code == 0, mine.err
    assert not ModelFolder.open(Path(mine.out.strip())).config.segmentation.initial_fusion
