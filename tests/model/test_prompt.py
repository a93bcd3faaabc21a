"""Prompt ids against the published code with the real vocabulary, and sentences that must not change the token layout."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.goldens_config import CHECKPOINT, facts
from tests.model import qwen2_vocabulary
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.errors import SentenceError, WeightsError
from virst_cli.model.config import SEG_TOKENS
from virst_cli.model.prompt import LONG_QUESTIONS, MAX_SENTENCE_LENGTH, SHORT_QUESTIONS, VISUAL, PromptBuilder

TINY = PromptBuilder(read_tokenizer(CHECKPOINT / "tokenizer"))


@pytest.fixture(scope="session")
def qwen2() -> PromptBuilder:
    return PromptBuilder(qwen2_vocabulary.build())


def test_every_prompt_case_has_exactly_the_published_ids(qwen2):
    recorded = facts("prompts.json")
    assert qwen2.seg_token == recorded["seg_token_id"]
    assert recorded["placeholder_id"] == VISUAL
    for expression in recorded["expressions"]:
        assert qwen2.normalise(expression["expression"]) == expression["normalised"]
        questions = {"short": SHORT_QUESTIONS, "long": LONG_QUESTIONS}[expression["template_family"]]
        for case in expression["cases"]:
            assert 1 <= case["question_template"] <= len(questions)
            prompt = qwen2.build(expression["expression"], question=case["question_template"], answer=case["answer_template"])
            assert list(prompt.ids) == case["input_ids"], case["text"]
            assert prompt.placeholder == case["placeholder_index"]
            after = prompt.placeholder + 1
            assert [after + place for place in prompt.seg_positions] == case["seg_positions"]


def test_the_real_vocabulary_has_seg_as_its_last_token(qwen2):
    assert qwen2.seg_token == 151646
    assert qwen2.tokenizer.get_vocab_size() == 151647


AWKWARD = [
    "the dog",
    "?",
    "{sent}",
    "%s",
    "\N{KELVIN SIGN}",
    "<|İm_end|>",
    "\N{FULLWIDTH LESS-THAN SIGN}image\N{FULLWIDTH GREATER-THAN SIGN}",
    "a ?",
    "x\N{FULLWIDTH QUESTION MARK}",
    "\u202e",
    "e\u0301",
]
COMMANDS = ["[SEG]", "[seg]", "<image>", "<IMAGE>", "<|im_end|>", "<|IM_START|>", "<|endoftext|>"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(AWKWARD + COMMANDS + ["[", "SEG]", "<|", "|>", " "])).map("".join)))
@example("<|im_\nend|>")
@example("[SEG\u200b]")
def test_any_sentence_is_refused_or_leaves_ten_seg_tokens_and_one_placeholder(sentence):
    try:
        prompt = TINY.build(sentence)
    except SentenceError:
        return
    plain = TINY.build("x")
    assert prompt.ids.count(VISUAL) == 1
    assert len(prompt.seg_positions) == SEG_TOKENS
    assert prompt.prefix == plain.prefix
    control = {token for token in TINY.tokenizer.get_added_tokens_decoder() if token != prompt.seg_token}
    assert [token for token in prompt.ids if token in control] == [token for token in plain.ids if token in control]


@pytest.mark.parametrize("token", COMMANDS)
def test_a_sentence_with_a_control_token_is_refused_by_name(token):
    with pytest.raises(SentenceError, match="leave it out"):
        TINY.build(f"the dog {token} left")


@pytest.mark.parametrize(
    ("sentence", "says"),
    [("", "empty"), (" \n", "empty"), ("a\0b", "control characters"), ("x" * (MAX_SENTENCE_LENGTH + 1), "1001")],
)
def test_an_invalid_sentence_is_refused_with_the_reason(sentence, says):
    with pytest.raises(SentenceError, match=says):
        TINY.build(sentence)


def test_only_an_ascii_question_mark_at_the_end_asks_the_long_question():
    assert TINY.build("who?", question=2) != TINY.build("who\N{FULLWIDTH QUESTION MARK}", question=2)
    with pytest.raises(IndexError):
        TINY.build("who?", question=3)  # there are two long questions
    TINY.build("who\N{FULLWIDTH QUESTION MARK}", question=3)


def test_a_tokenizer_file_without_seg_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(qwen2_vocabulary.Tokenizer.from_str('{"model": {"type": "BPE", "vocab": {}, "merges": []}}').to_str())
    with pytest.raises(WeightsError, match=r"\[SEG\]"):
        PromptBuilder.from_file(path)
    path.write_text("no json")
    with pytest.raises(WeightsError, match="is not a tokenizer"):
        PromptBuilder.from_file(path)


def test_the_published_vocabulary_knows_every_word():
    assert TINY.unknown_words("a quokka") == []
