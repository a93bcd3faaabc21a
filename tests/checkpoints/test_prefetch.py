"""Layers copied ahead of use: the same results, two layers in memory, none overwritten while it works."""

import dataclasses
import gc
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer

from virst_cli.checkpoints import prefetch
from virst_cli.checkpoints.prefetch import PrefetchedLayers
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.errors import WeightsError
from virst_cli.model.language import LanguageModel
from virst_cli.model.virst import pack

SENTENCES = ["the dog running left", "Which animal is moving the fastest?"]
PREFIX = "language_model.layers."


def layers(folder: ModelFolder, dtype: torch.dtype = torch.float32, **options) -> PrefetchedLayers:
    return PrefetchedLayers(folder, PREFIX, device=torch.device("cpu"), dtype=dtype, **options)


def resident(folder: ModelFolder, dtype: torch.dtype = torch.float32) -> LanguageModel:
    return folder.build(lambda: LanguageModel(folder.config.language), "language_model.", device="cpu", dtype=dtype)


def alive() -> int:
    """Decoder layers in memory."""
    gc.collect()
    return sum(type(thing) is Qwen2DecoderLayer for thing in gc.get_objects())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_prefetched_layers_give_exactly_what_resident_ones_give(converted, dtype):
    whole = resident(converted, dtype)
    prompts = [converted.prompt_builder.build(sentence) for sentence in SENTENCES]
    visual = torch.randn(32, converted.config.language.width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = pack(visual, prompts, whole.embed_tokens).seg_states(whole)
        ahead = LanguageModel(converted.config.language, layers(converted, dtype), whole.embed_tokens)
        ahead.norm = whole.norm
        for _ in range(2):  # as often as asked
            assert torch.equal(pack(visual, prompts, ahead.embed_tokens).seg_states(ahead), expected)


def test_two_layers_at_most_are_in_memory_and_none_is_overwritten_while_it_works(converted):
    expected = [dict(layer.state_dict()) for layer in resident(converted).layers]
    before, most, passed = alive(), 0, []
    for number, layer in enumerate(layers(converted, on_layer=passed.append)):
        most = max(most, alive() - before)
        time.sleep(0.05)  # work, during which the next layer is read
        for name, tensor in layer.state_dict().items():
            assert torch.equal(tensor, expected[number][name]), f"{name} of layer {number}"
    del layer
    assert number + 1 == converted.config.language.layers > 2
    assert passed == list(range(number + 1))
    assert (most, alive() - before) == (2, 0)


def test_a_copy_waits_for_the_work_with_the_layer_that_it_replaces(converted, monkeypatch: pytest.MonkeyPatch):
    """On an accelerator all work is queued and done later, and only these events keep it in order."""
    calls: list[tuple[str, int]] = []

    class Recording(prefetch.CopyStream):
        events = 0

        def record_event(self) -> int:
            self.events += 1
            return self.events

        def wait_for(self, event: int) -> None:
            calls.append(("copy after", event))

        def finish(self) -> None:
            calls.append(("copied", 0))

    monkeypatch.setattr(prefetch, "CopyStream", Recording)
    count = sum(1 for _ in layers(converted))
    waits = [event for what, event in calls if what == "copy after"]
    assert waits == list(range(1, count + 1))  # events 1 and 2: before the first layers; 3: behind the work with layer 0; ...
    assert calls.count(("copied", 0)) == count


def test_a_pass_that_ends_early_leaves_neither_thread_nor_layer(converted):
    before, threads = alive(), threading.active_count()
    given_up = iter(layers(converted))
    next(given_up)
    given_up.close()
    del given_up
    assert (alive(), threading.active_count()) == (before, threads)


def test_a_layer_that_lacks_a_tensor_is_an_error_where_it_is_wanted(converted, tmp_path: Path):
    folder = ModelFolder.open(Path(shutil.copytree(converted.path, tmp_path / "copy")))
    one_more = dataclasses.replace(folder.config.language, layers=folder.config.language.layers + 1)
    folder = ModelFolder(folder.path, dataclasses.replace(folder.config, language=one_more), folder._shards)
    with pytest.raises(WeightsError, match=f"lacks {PREFIX}{one_more.layers - 1}"):
        for _ in layers(folder):
            pass
