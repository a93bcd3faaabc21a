"""Training where the model is: every objective on an accelerator that has no memory (fake tensors)."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from tests.segmenter.test_devices import moved
from virst_cli.model.config import VIRST_NANO
from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.data import WorldClips
from virst_cli.training.recipe import RECIPE, TUNE
from virst_cli.training.training_batch import TrainingBatch
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.training.world_teacher import WorldTeacher, from_nothing
from virst_cli.world import vocabulary


@pytest.fixture(scope="module")
def prompts() -> PromptBuilder:
    return PromptBuilder(word_tokenizer(vocabulary()))


@pytest.fixture(scope="module")
def batch(prompts) -> TrainingBatch:
    return WorldClips(prompts, 128)([(1,)], clips=2, frames=8, sentences=2)


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorMode]:
    """Inside, an operator on tensors of two devices is an error. What depends on values, which are not there, has a stand-in."""
    table, randint = torch.tensor, torch.randint

    def without_values(data: object, *, dtype: torch.dtype | None = None, device: object = "cpu") -> Tensor:
        with unset_fake_temporarily():
            made = table(data, dtype=dtype)
        return torch.empty(made.shape, dtype=made.dtype, device=device)

    def without_chance(*arguments, **options) -> Tensor | int:
        return arguments[0] if arguments[-1] == () else randint(*arguments, **options)

    monkeypatch.setattr(torch, "tensor", without_values)
    monkeypatch.setattr(torch, "randint", without_chance)
    monkeypatch.setattr(Tensor, "nonzero", lambda self: torch.zeros(7, self.dim(), dtype=torch.int64, device=self.device))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode


@pytest.mark.parametrize(
    "stage", [*(stage for stage in RECIPE if stage.objective.value == stage.name), TUNE], ids=lambda stage: stage.name
)
def test_every_objective_stays_on_the_device(stage, prompts, batch, mode):
    with unset_fake_temporarily():
        teacher: WorldTeacher = from_nothing(VIRST_NANO, prompts, 0)
    moved(teacher)
    found = teacher.losses(stage.objective, batch.to(torch.device("cuda")), 2, torch.Generator())
    assert set(stage.losses) <= set(found)
    assert {value.device.type for value in found.values()} == {"cuda"}
