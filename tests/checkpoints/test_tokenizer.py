"""Vocabulary files as one tokenizer.json, with the ids of the published model."""

import json
import shutil

import pytest

from tests.goldens_config import CHECKPOINT, words
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.errors import WeightsError
from virst_cli.model.prompt import PromptBuilder


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(CHECKPOINT / "tokenizer", tmp_path / "tokenizer")


def test_special_tokens_and_seg_have_the_published_ids(folder):
    tokenizer, recorded = read_tokenizer(folder), words()["tokenizer"]
    assert tokenizer.token_to_id("<|endoftext|>") == recorded["endoftext_and_padding_id"]
    assert tokenizer.token_to_id("<|im_start|>") == recorded["im_start_id"]
    assert tokenizer.token_to_id("<|im_end|>") == recorded["im_end_id"]
    assert tokenizer.token_to_id("[SEG]") == recorded["seg_token_id"] == tokenizer.get_vocab_size() - 1


def test_a_saved_tokenizer_gives_the_same_ids(folder, tmp_path):
    tokenizer = read_tokenizer(folder)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = PromptBuilder.from_file(tmp_path / "tokenizer.json")
    assert again.build("the dog, naïve and 12 years old") == PromptBuilder(tokenizer).build("the dog, naïve and 12 years old")


@pytest.mark.parametrize("text", ["It's 2024:  two\n\n dogs ", "日本語 e\u0301", "\t tabs  and   spaces\r\n"])
def test_text_comes_back_normalised_and_whole(folder, text):
    tokenizer = read_tokenizer(folder)
    assert tokenizer.decode(tokenizer.encode(text).ids) == text.replace("e\u0301", "é")


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=name):
        read_tokenizer(folder)


@pytest.mark.parametrize(("name", "text"), [("vocab.json", "{"), ("merges.txt", "a b c"), ("tokenizer_config.json", "{}")])
def test_files_that_are_something_else_are_refused(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(WeightsError, match="does not contain a Qwen2 tokenizer"):
        read_tokenizer(folder)


def test_a_token_with_another_id_is_an_error_with_expected_and_got(folder):
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    first = min(config["added_tokens_decoder"], key=int)
    config["added_tokens_decoder"]["9999"] = config["added_tokens_decoder"].pop(first)
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"has the wrong id: expected \d+, got \d+"):
        read_tokenizer(folder)
