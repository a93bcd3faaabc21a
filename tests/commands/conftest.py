"""Fixtures: a model that always finds something and one that never does, a small video, and `virst` as a process."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.running import Done, Zygote
from tests.video.making import FAST, Maker

FRAMES = 40
Virst = Callable[..., Done]
SCORE_BIAS = "fusion.seg_model.sam_mask_decoder.pred_obj_score_head.layers.2.bias"


def with_object_score(model: Path, folder: Path, bias: float) -> Path:
    """Copy a random model, changed so that all object scores, which are otherwise close to 0, are about `bias`."""
    from safetensors.torch import load_file, save_file

    from virst_cli.checkpoints.manifest import MANIFEST, manifest_text

    shutil.copytree(model, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors[SCORE_BIAS].fill_(bias)
    save_file(tensors, folder / "model.safetensors")
    (folder / MANIFEST).write_text(manifest_text(folder, name="virst-nano", source={"weights": "random"}))
    return folder


@pytest.fixture(scope="session")
def seeing(random_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds something in every frame."""
    return with_object_score(random_model, tmp_path_factory.mktemp("seeing") / "seeing", 1.0)


@pytest.fixture(scope="session")
def blind(random_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never finds anything."""
    return with_object_score(random_model, tmp_path_factory.mktemp("blind") / "blind", -1.0)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 40 frames with sound."""
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=24", "-f", "lavfi", "-i", "sine", "-frames:v", str(FRAMES))
    return Maker(tmp_path_factory.mktemp("videos"))("clip.mp4", *source, *FAST)


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    started = Zygote(tmp_path_factory.mktemp("zygote"))
    yield started
    started.close()


@pytest.fixture
def virst(zygote: Zygote, tmp_path: Path) -> Virst:
    """Run a command to its end, in the test's temporary folder."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None, cwd: Path = tmp_path) -> Done:
        return zygote.start(*arguments, cwd=cwd, env=env or {}).wait()

    return run
