"""Makes the word-level tokenizer of virst-nano, with the words of the synthetic world and of the chat template.

Each fixed phrase of the prompt is one token, so a sentence needs few tokens besides its words.
"""

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from virst_cli.model.config import SEG_TOKENS
from virst_cli.model.prompt import LONG_QUESTIONS, SEG_TOKEN, SHORT_QUESTIONS, UNKNOWN_TOKEN

CHAT_TOKENS = ("<|im_start|>", "<|im_end|>")
PHRASES = (
    "system\nYou are a helpful assistant.",
    "user\nReference image: ",
    *dict.fromkeys(part.strip() for question in (*SHORT_QUESTIONS, *LONG_QUESTIONS) for part in question.split("{sent}") if part),
    "assistant\nIt is",
)  # fmt: skip
COUNTERS = tuple(f"({number})" if number == 0 else f", ({number})" for number in range(SEG_TOKENS))


def word_tokenizer(words: Iterable[str]) -> Tokenizer:
    """A tokenizer with the tokens of the template, then these words in order; other words are unknown."""
    entries = [*_template(), *words]
    tokenizer = Tokenizer(models.WordLevel({entry: place for place, entry in enumerate(entries)}, UNKNOWN_TOKEN))
    phrases = "|".join(_escape(phrase) for phrase in sorted((*PHRASES, *COUNTERS), key=len, reverse=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{phrases}|[\w']+|[^\w\s]|\n"), "removed", invert=True)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CHAT_TOKENS])
    tokenizer.add_tokens([AddedToken(SEG_TOKEN, normalized=False, special=False)])
    return tokenizer


def with_words(tokenizer: Tokenizer, words: Iterable[str]) -> Tokenizer:
    """A tokenizer with the words of another one, and after them the new ones of `words`."""
    known = tokenizer.get_vocab()
    old_words = sorted((word for word in known if word not in _template()), key=known.__getitem__)
    return word_tokenizer(dict.fromkeys((*old_words, *words)))


def _template() -> tuple[str, ...]:
    return (UNKNOWN_TOKEN, *CHAT_TOKENS, SEG_TOKEN, *PHRASES, *COUNTERS, ".", "?", "\n")


def _escape(phrase: str) -> str:
    return "".join(character if character.isalnum() or character in " \n" else "\\" + character for character in phrase)
