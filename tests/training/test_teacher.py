"""What a teacher does in parts comes to the same as at once."""

import pytest
import torch

from virst_cli.model.config import SEG_TOKENS, VIRST_NANO
from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.data import WorldClips
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.training.world_teacher import from_nothing
from virst_cli.world import vocabulary


def test_sentences_asked_a_few_at_a_time_get_the_same_prompts_and_attention(monkeypatch: pytest.MonkeyPatch):
    prompts = PromptBuilder(word_tokenizer(vocabulary()))
    teacher = from_nothing(VIRST_NANO, prompts, 3)
    batch = WorldClips(prompts, 128)([(5,)], clips=2, frames=4, sentences=3)
    rows, found = batch.targets.shape[0] * batch.targets.shape[1], []
    with torch.no_grad():
        encoded = teacher.encode(batch)
        states = torch.randn(*batch.targets.shape[:2], SEG_TOKENS, VIRST_NANO.language.width)
        for at_once in (rows, 4, 1):
            monkeypatch.setattr("virst_cli.training.teacher.MAX_ATTENTION", at_once * 4**2)
            found.append(teacher.fuse(batch, encoded, states))
    for prompts in found[1:]:
        torch.testing.assert_close(prompts.prompts, found[0].prompts)
        torch.testing.assert_close(prompts.attention, found[0].attention)
    segmentation = VIRST_NANO.segmentation
    supervised = segmentation.prompter_heads // 2 * 2  # half of the heads, two tokens of each
    assert found[0].attention.shape[:3] == (rows, segmentation.prompter_layers, supervised)
