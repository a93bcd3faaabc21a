"""Low-rank updates: merged weights do what weights and updates do apart."""

import pytest
import torch

from tests.goldens_config import golden_config, words
from virst_cli.checkpoints.lora import LowRankUpdates, add_low_rank
from virst_cli.errors import WeightsError

CONFIG = golden_config().language


@pytest.fixture
def pairs():
    """Updates of rank 2 for every module; the sizes do not matter before they are applied."""
    names = {f"{module}.lora_{side}.default.weight" for module in modules() for side in "AB"}
    return {name: torch.ones((2, 5) if "lora_A" in name else (3, 2)) for name in names}


def modules() -> list[str]:
    attention = [f"self_attn.{name}_proj" for name in ("q", "k", "v", "o")]
    mlp = [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
    return [f"language_model.layers.{n}.{module}" for n in range(CONFIG.layers) for module in attention + mlp]


def test_merged_is_the_same_function_as_apart():
    generator = torch.Generator().manual_seed(0)
    weight, down, up, x = (torch.randn(shape, generator=generator) for shape in ((6, 5), (2, 5), (6, 2), (4, 5)))
    merged = add_low_rank(weight, down, up)
    torch.testing.assert_close(x @ merged.T, x @ weight.T + 0.25 * (x @ down.T) @ up.T)


def test_the_sum_is_made_in_float32():
    weight = torch.ones(1, 1, dtype=torch.bfloat16)
    small = torch.full((1, 1), 0.0625, dtype=torch.bfloat16)  # 0.25 * 0.0625**2 is lost beside 1 in bfloat16
    merged = add_low_rank(weight, small, small)
    assert merged.dtype == torch.float32
    assert merged.item() == 1 + 0.25 * 0.0625**2


def test_every_layer_has_seven_updates(pairs):
    updates = LowRankUpdates(pairs, CONFIG, scaling=0.25)
    assert updates.modules == modules()
    assert len(updates.names) == CONFIG.layers * 7 * 2
    weight = torch.zeros(3, 5)
    down, up = (pairs[name] for name in updates.names_for(f"{modules()[0]}.weight"))
    assert torch.equal(updates.add_to(weight, down, up), torch.full((3, 5), 0.5))
    assert torch.equal(updates.add_to(weight[1:], down, up[1:]), torch.full((2, 5), 0.5))
    assert updates.names_for("language_model.norm.weight") is None
    assert updates.names_for(f"{modules()[0]}.bias") is None


def test_a_missing_update_is_named_and_counted(pairs):
    gone = f"{modules()[-1]}.lora_B.default.weight"
    del pairs[gone]
    with pytest.raises(WeightsError, match=f"lacks 1 of {len(modules()) * 2} LoRA tensors: {gone}"):
        LowRankUpdates(pairs, CONFIG, scaling=0.25)


def test_an_update_of_another_shape_is_named(pairs):
    updates = LowRankUpdates(pairs, CONFIG, scaling=0.25)
    updates.check({f"{module}.weight": torch.Size((3, 5)) for module in modules()})
    with pytest.raises(WeightsError, match=rf"LoRA of {modules()[0]} does not fit: .* got \(2, 5\) and \(3, 2\)"):
        updates.check({f"{module}.weight": torch.Size((4, 5)) for module in modules()})


def test_the_golden_set_has_the_published_scaling():
    assert words()["lora"]["scaling"] == words()["lora"]["alpha"] / words()["lora"]["rank"]
