"""The golden set's model, and a table of how far ours is from it: `pytest tests/model -v` prints it at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.goldens_config import convert_goldens, golden_config
from tests.model.published_run import OVERLAP, frame_ious
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.seg_model import SegModel
from virst_cli.model.virst import Virst

MODULES = 1e-4  # largest difference relative to the largest value, float32 on the CPU (goldens/README.md)
PROPAGATED = 1e-3  # low-resolution logits
END_TO_END = 3e-3  # the same, where the frames come from afar
FOLLOWING = 1e-2  # scores, pointers and IoUs of propagated frames: how far the set says that 2e-6 in its prompts moves them
HALF = 1e-3  # tensors that the set stores in float16
NO_OBJECT = -1024.0  # all logits of an absent object


def relative_differences(ours: Tensor, golden: Tensor) -> Tensor:
    """Absolute differences in parts of the largest golden value."""
    golden = golden.float()
    values = golden[golden != NO_OBJECT]  # they would hide every difference of the others
    scale = values.abs().max().item() if len(values) else 1.0
    return (ours.float() - golden).abs() / max(scale, 1e-30)


@dataclass
class Differences:
    """Compares, and remembers the largest difference of every golden tensor."""

    rows: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def agree(self, file: str, name: str, ours: Tensor, golden: Tensor, tolerance: float = MODULES) -> None:
        assert ours.shape == golden.shape, f"{file} {name}: shape {tuple(ours.shape)}, golden {tuple(golden.shape)}"
        difference = relative_differences(ours, golden).max().item()
        worst, _ = self.rows.get((file, name), (0.0, 0.0))
        self.rows[file, name] = max(worst, difference), tolerance
        assert difference <= tolerance, f"{file} {name}: off by {difference:.2e}, allowed {tolerance:.0e}"

    def overlap(self, file: str, ours: Tensor, golden: Tensor) -> None:
        """Masks (L,H,W): IoU of every frame at least 0.999."""
        ious = frame_ious(ours, golden).tolist()
        self.rows[file, "masks (1 - IoU)"] = 1 - min(ious), 1 - OVERLAP
        assert min(ious) >= OVERLAP, f"{file}: IoU of frame {ious.index(min(ious))} is {min(ious):.4f}"


_differences = Differences()


@pytest.fixture
def agree() -> Callable[..., None]:
    return _differences.agree


@pytest.fixture
def overlap() -> Callable[..., None]:
    return _differences.overlap


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: runs a whole video; minutes on two cores")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _differences.rows or terminalreporter.verbosity <= 0:
        return
    terminalreporter.section("largest difference per golden tensor")
    for (file, name), (difference, tolerance) in sorted(_differences.rows.items()):
        terminalreporter.write_line(f"{difference:9.2e} of {tolerance:.0e}  {file:48} {name}")
    files: dict[str, float] = {}
    for (file, _), (difference, tolerance) in _differences.rows.items():
        files[file] = max(files.get(file, 0.0), difference / tolerance)
    terminalreporter.section("largest share of its tolerance, per golden file")
    for file, share in sorted(files.items()):
        terminalreporter.write_line(f"{share:7.1%}  {file}")


@pytest.fixture(autouse=True)
def inference_on_one_thread() -> Iterator[None]:
    """Sums of several threads come in another order, and forty frames of propagation make much of it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def golden_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, ModelFolder]:
    """The set's published files, converted; with and without the first fusion."""
    folder = tmp_path_factory.mktemp("golden")
    for fused in (False, True):
        convert_goldens(folder / str(fused), initial_fusion=fused)
    return {fused: ModelFolder.open(Path(folder / str(fused))) for fused in (False, True)}


@pytest.fixture(scope="session")
def load(golden_folders: dict[bool, ModelFolder]) -> Callable[..., Virst]:
    """load(initial_fusion=...) -> the set's whole model at the size of the end-to-end runs."""

    def model(*, initial_fusion: bool = False) -> Virst:
        config = golden_config(initial_fusion=initial_fusion)
        folder = golden_folders[initial_fusion]
        return folder.build(lambda: Virst(config), "", device="cpu", dtype=torch.float32).eval()

    return model


@pytest.fixture(scope="session")
def model(load: Callable[..., Virst]) -> Virst:
    return load(initial_fusion=True)


@pytest.fixture(scope="session")
def small_seg_model(golden_folders: dict[bool, ModelFolder]) -> Callable[[int], SegModel]:
    """SAM2 for images of another size than the end-to-end runs'."""

    def seg_model(image_size: int) -> SegModel:
        config = golden_config(image_size=image_size).segmentation
        folder = golden_folders[True]
        return folder.build(lambda: SegModel(config), "fusion.seg_model.", device="cpu", dtype=torch.float32).eval()

    return seg_model
