"""The language model passes through: the same results, one layer in memory."""

import weakref

import pytest
import torch

from virst_cli.checkpoints.stream import LayerStream, streamed_language_model
from virst_cli.model.language import LanguageModel
from virst_cli.model.virst import pack

SENTENCES = ["the dog running left", "Which animal is moving the fastest?"]


@pytest.fixture
def packed_input(converted):
    prompts = [converted.prompt_builder.build(sentence) for sentence in SENTENCES]
    visual = torch.randn(32, converted.config.language.width, generator=torch.Generator().manual_seed(0))
    return visual, prompts


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_streamed_model_gives_exactly_what_a_resident_one_gives(converted, packed_input, dtype):
    visual, prompts = packed_input
    streamed = streamed_language_model(converted, device="cpu", dtype=dtype)
    resident = converted.build(lambda: LanguageModel(converted.config.language), "language_model.", device="cpu", dtype=dtype)
    with torch.inference_mode():
        for _ in range(2):  # as often as asked
            ours = pack(visual, prompts, streamed.embed_tokens).seg_states(streamed)
            assert ours.dtype == dtype
            assert torch.equal(ours, pack(visual, prompts, resident.embed_tokens).seg_states(resident))


def test_only_one_layer_is_in_memory_at_a_time(converted, packed_input, monkeypatch):
    """Gradients are on here: not even they may hold on to a layer."""
    alive: list[weakref.ref[torch.Tensor]] = []
    most = 0
    load = type(converted).load

    def counted(folder, module, prefix, **given):
        nonlocal most
        assert not [name for ref in alive if (name := ref()) is not None], f"a layer is left when {prefix} is read"
        load(folder, module, prefix, **given)
        alive.extend(weakref.ref(parameter) for parameter in module.parameters())
        most = max(most, sum(ref() is not None for ref in alive))

    streamed = streamed_language_model(converted, device="cpu", dtype=torch.float32)
    monkeypatch.setattr(type(converted), "load", counted)
    visual, prompts = packed_input
    pack(visual, prompts, streamed.embed_tokens).seg_states(streamed)
    assert len(alive) == most * converted.config.language.layers  # all layers were seen, one at a time
    assert not [ref for ref in alive if ref() is not None]


def test_a_streamed_model_holds_its_last_norm_only(converted):
    streamed = streamed_language_model(converted, device="cpu", dtype=torch.float32)
    assert [name for name, _ in streamed.named_parameters()] == ["norm.weight"]


def test_layers_come_in_order_and_carry_their_own_weights(converted):
    resident = converted.build(
        lambda: LanguageModel(converted.config.language), "language_model.", device="cpu", dtype=torch.float32
    )
    stream = LayerStream(converted, device="cpu", dtype=torch.float32)
    for ours, theirs in zip(stream, resident.layers, strict=True):
        for (name, parameter), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            assert torch.equal(parameter, other), name
