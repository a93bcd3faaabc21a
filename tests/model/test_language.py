"""Several sentences in one sequence get what each gets alone."""

import pytest
import torch

from tests.goldens_config import CHECKPOINT
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.model.language import packed_layout
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import pack

SENTENCES = ["the dog running left", "The brown dog that jumps over the grass.", "Which animal is moving the fastest?"]


@pytest.fixture
def prompts():
    builder = PromptBuilder(read_tokenizer(CHECKPOINT / "tokenizer"))
    return [builder.build(sentence) for sentence in SENTENCES]


@pytest.fixture
def visual(model):
    return torch.randn(32, model.config.language.width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fused", [False, True])
def test_packed_sentences_get_the_states_that_each_gets_alone(model, prompts, visual, fused):
    language = model.language_model
    seg = torch.randn(10, visual.shape[1], generator=torch.Generator().manual_seed(1)) if fused else None
    together = pack(visual, prompts, language.embed_tokens, seg).seg_states(language)
    alone = torch.cat([pack(visual, [prompt], language.embed_tokens, seg).seg_states(language) for prompt in prompts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_order_of_the_sentences_does_not_matter(model, prompts, visual):
    language = model.language_model
    forth = pack(visual, prompts, language.embed_tokens).seg_states(language)
    back = pack(visual, prompts[::-1], language.embed_tokens).seg_states(language)
    torch.testing.assert_close(forth, back.flip(0), atol=1e-5, rtol=1e-5)


def test_a_sentence_sees_the_prefix_and_itself_and_nothing_after():
    positions, mask = packed_layout(2, [2, 1])
    assert positions.tolist() == [0, 1, 2, 3, 2]
    assert mask.int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],  # the second sentence does not see the first
    ]


def test_given_embeddings_stand_in_for_the_seg_tokens_only(model, prompts, visual):
    language = model.language_model
    seg = torch.full((10, visual.shape[1]), 7.0)
    plain = pack(visual, prompts[:1], language.embed_tokens)
    given = pack(visual, prompts[:1], language.embed_tokens, seg)
    changed = (plain.embeddings != given.embeddings).any(-1).nonzero().flatten()
    assert changed.tolist() == plain.seg_places[0].tolist()
