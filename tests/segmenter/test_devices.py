"""Whatever is made along the way lies where the model is: all five steps on an accelerator that has no memory (fake tensors)."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from tests.small_model import SMALL, write
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.language import LanguageModel
from virst_cli.model.virst import Fusion, Vision, pack
from virst_cli.tracking.tracker import Tracker

SENTENCES = ["the red dog", "the car that stops last"]


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorMode]:
    """Inside, an operator on tensors of two devices is an error, as on a real accelerator; nothing is calculated."""
    real = torch.tensor

    def without_values(data: object, *, dtype: torch.dtype | None = None, device: object = "cpu") -> Tensor:
        with unset_fake_temporarily():
            made = real(data, dtype=dtype)
        return torch.empty(made.shape, dtype=made.dtype, device=device)

    monkeypatch.setattr(torch, "tensor", without_values)  # tensors with known values are calculated with, and need the device
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.inference_mode():
        yield mode


def moved(module: nn.Module) -> nn.Module:
    """A module whose weights and buffers are on the accelerator."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            part._parameters[name] = nn.Parameter(there(*parameter.shape), requires_grad=False)
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda")
        for name, table in [(name, value) for name, value in vars(part).items() if isinstance(value, Tensor)]:
            setattr(part, name, torch.empty(table.shape, dtype=table.dtype, device="cuda"))  # sam2 moves it when it is used
    return module.eval()


def there(*shape: int) -> Tensor:
    return torch.empty(shape, device="cuda")


@pytest.fixture
def prompts(tmp_path) -> list:
    builder = ModelFolder.open(write(tmp_path / "small")).prompt_builder
    return [builder.build(sentence) for sentence in SENTENCES]


@pytest.fixture
def parts() -> tuple[Vision, LanguageModel, Fusion]:
    return Vision(SMALL), LanguageModel(SMALL.language), Fusion(SMALL)


def layout(prefix: int, sentences: list[int]) -> tuple[Tensor, Tensor]:
    """Positions and mask as `packed_layout` gives them, on the CPU; it needs numbers, which fake tensors don't have."""
    length = prefix + sum(sentences)
    return torch.empty(length, dtype=torch.int64), torch.empty(length, length, dtype=torch.bool)


def test_look_reason_fuse_anchor_and_propagate_stay_on_the_device(prompts, parts, mode, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("virst_cli.model.virst.packed_layout", layout)
    vision, language, fusion = (moved(part) for part in parts)
    visual = vision(there(8, 3, SMALL.vision.image_size, SMALL.vision.image_size))
    side = SMALL.segmentation.image_size
    features = [fusion.seg_model.encode(there(1, 3, side, side)) for _ in range(8)]
    coarse = torch.cat([frame.coarse for frame in features])
    seg = fusion.fuse_seg_tokens(language.embed_tokens(torch.full((10,), 3, device="cuda")), coarse)
    states = pack(visual, prompts, language.embed_tokens, seg).seg_states(language)
    assert (states.device.type, tuple(states.shape)) == ("cuda", (2, 10, SMALL.language.width))
    asked = fusion.mask_prompts(states, coarse)
    tracker = Tracker(fusion.seg_model, 8)
    tracker.begin_chunk(dict(enumerate(features)), {0: [asked[:, :, 0]], 7: [asked[:, :, 7]]})
    for frame in range(8):
        tracked = tracker.step(frame, features[frame])
        assert {value.device.type for value in vars(tracked).values()} == {"cuda"}
        assert tracked.logits.shape == (2, 1, side // 4, side // 4)


def test_two_devices_in_one_operator_are_an_error_here(mode):
    with pytest.raises(RuntimeError, match="device"):
        there(2, 2) @ torch.empty(2, 2)
