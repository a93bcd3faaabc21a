"""Videos side by side are read as each alone."""

import torch

from virst_cli.model.config import VIRST_NANO
from virst_cli.model.language import LanguageModel
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import pack
from virst_cli.training.packing import PackedLayout
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.world import vocabulary

CPU = torch.device("cpu")
PROMPTS = PromptBuilder(word_tokenizer(vocabulary()))
ASKED = [
    [PROMPTS.build("the dog"), PROMPTS.build("the small red car that stops last")],
    [PROMPTS.build("which bird jumps?"), PROMPTS.build("the box")],
]


def test_positions_masks_and_places_are_those_of_each_video_alone():
    layout, visual = PackedLayout.of(ASKED, 5, CPU), torch.zeros(5, VIRST_NANO.language.width)
    embed = torch.nn.Embedding(VIRST_NANO.language.vocabulary, VIRST_NANO.language.width)
    lengths = []
    for b, video in enumerate(ASKED):
        alone = pack(visual, video, embed)
        lengths.append(len(alone.positions))
        assert torch.equal(layout.positions[b, : lengths[b]], alone.positions)
        assert torch.equal(layout.mask()[b, : lengths[b], : lengths[b]], alone.mask)
        assert torch.equal(layout.seg_places[b], alone.seg_places)
    assert lengths[0] != lengths[1] and max(lengths) == layout.positions.shape[1]


def test_padding_is_seen_by_nobody_and_sees_something():
    layout = PackedLayout.of(ASKED, 5, CPU)
    padding = layout.part < 0
    assert padding.any()
    seen = layout.mask()
    assert not (seen & padding[:, None] & ~padding[:, :, None]).any()
    assert seen.any(-1).all()  # a row that may look nowhere has no softmax


def test_states_are_those_of_each_video_alone():
    language = LanguageModel(VIRST_NANO.language).eval()
    visual = torch.randn(2, 5, VIRST_NANO.language.width)
    layout = PackedLayout.of(ASKED, 5, CPU)
    prefix = language.embed_tokens(torch.tensor(ASKED[0][0].prefix)).expand(2, -1, -1)
    with torch.no_grad():
        hidden = language(torch.cat([prefix, visual, language.embed_tokens(layout.tokens)], 1), layout.positions, layout.mask())
        for b, video in enumerate(ASKED):
            alone = pack(visual[b], video, language.embed_tokens).seg_states(language)
            torch.testing.assert_close(hidden[b, layout.seg_places[b]], alone, rtol=1e-4, atol=1e-5)
