"""Builds Qwen2's tokenizer from its vocabulary files, with the [SEG] token added (spec section 2.4)."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from virst_cli.errors import WeightsError
from virst_cli.model.prompt import SEG_TOKEN

FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")

# contractions, words with one lead character, single digits, punctuation runs, line ends, spaces
QWEN2_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def qwen2_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]], special: list[str]) -> Tokenizer:
    """A byte-level BPE that splits text as Qwen2 does.

    vocabulary: token -> id.
    merges: pairs of tokens, in the order in which they are merged.
    special: special tokens, which get the ids after the vocabulary; [SEG] gets the last one.
    """
    tokenizer = Tokenizer(BPE(vocabulary, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(SEG_TOKEN, normalized=True, special=False)])
    return tokenizer


def read_tokenizer(folder: Path) -> Tokenizer:
    """Reads a tokenizer from vocab.json, merges.txt and tokenizer_config.json.

    Raises WeightsError if a file is missing or invalid, or a token would not get its published id.
    """
    try:
        words, pairs, settings = ((folder / name).read_text(encoding="utf-8") for name in FILES)
        vocabulary, lines, added = json.loads(words), pairs.split("\n"), json.loads(settings)["added_tokens_decoder"]
        merges = [_merge_rule(line) for line in lines if line and not line.startswith("#version")]
        special = [added[number]["content"] for number in sorted(added, key=int)]
        tokenizer = qwen2_tokenizer(vocabulary, merges, special)
    except FileNotFoundError as error:
        raise WeightsError(
            f"{folder} has no {Path(error.filename).name}; --tokenizer must be the folder of the base model's tokenizer"
        ) from None
    except Exception as error:  # tokenizers raises bare Exception
        raise WeightsError(f"{folder} does not contain a Qwen2 tokenizer ({error})") from None
    for number, token in added.items():
        if (got := tokenizer.token_to_id(token["content"])) != int(number):
            raise WeightsError(f"{folder}: token {token['content']} has the wrong id: expected {number}, got {got}")
    return tokenizer


def _merge_rule(line: str) -> tuple[str, str]:
    left, right = line.split(" ")
    return left, right
