"""From a sentence to token ids: the published templates, word for word (spec section 2).

The answer is part of the prompt: the language model is shown that it said "It is (0) [SEG], ... (9) [SEG]." and only
its hidden states at the ten [SEG] tokens are used. The word "image" for a video is the published model's habit and has
to stay.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from virst_cli.errors import SentenceError, WeightsError
from virst_cli.model.config import SEG_TOKENS

VISUAL = -200  # stands in the ids where the visual tokens go
IMAGE_TOKEN = "<image>"
SEG_TOKEN = "[SEG]"
UNKNOWN_TOKEN = "[UNK]"  # only word-level vocabularies have it
MAX_SENTENCE_LENGTH = 1000  # characters; a sentence that fills the context is a mistake

SHORT_QUESTIONS = (
    "What is {sent} in the Reference image? Please respond with segmentation mask in the Target Image.",
    "What is {sent} in the Reference image? Please output segmentation mask in the Target Image.",
    "Please find {sent} in the Reference image and segment it in the Target Image.",
)
LONG_QUESTIONS = (  # for expressions that end with a question mark
    "{sent} Please find it in the Reference image and respond with segmentation mask in the Target Image.",
    "{sent} Please find it in the Reference image and output segmentation mask in the Target Image.",
)
ANSWERS = ("It is {seg}.", "Sure, {seg}.", "Sure, it is {seg}.", "Sure, the segmentation result is {seg}.")

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
BEFORE = SYSTEM + "<|im_start|>user\nReference image: "
AFTER = " \n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"


@dataclass(frozen=True)
class Prompt:
    """Token ids with one `VISUAL` placeholder, and where the ten [SEG] tokens are among the ids after it."""

    ids: tuple[int, ...]
    seg_token: int

    @property
    def placeholder(self) -> int:
        return self.ids.index(VISUAL)

    @property
    def prefix(self) -> tuple[int, ...]:
        """Ids before the visual tokens, the same for every sentence."""
        return self.ids[: self.placeholder]

    @property
    def sentence(self) -> tuple[int, ...]:
        """Ids after the visual tokens."""
        return self.ids[self.placeholder + 1 :]

    @property
    def seg_positions(self) -> list[int]:
        """Places of the [SEG] tokens in `sentence`."""
        return [place for place, token in enumerate(self.sentence) if token == self.seg_token]


class PromptBuilder:
    """Turns sentences into prompts with a model's tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        seg = tokenizer.token_to_id(SEG_TOKEN)
        if seg is None:
            raise WeightsError("the tokenizer has no [SEG] token; import the checkpoint again with `virst weights import`")
        self.seg_token = seg

    @staticmethod
    def from_file(path: Path) -> "PromptBuilder":
        try:
            return PromptBuilder(Tokenizer.from_file(str(path)))
        except WeightsError:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            raise WeightsError(f"{path} is no tokenizer ({error}); import it again with `virst weights import`") from None

    def build(self, sentence: str, *, question: int = 1, answer: int = 1) -> Prompt:
        """The prompt for a sentence; templates count from 1. Raises SentenceError for what can't be asked."""
        text = self.normalise(sentence)
        questions = LONG_QUESTIONS if text.endswith("?") else SHORT_QUESTIONS
        seg = ", ".join(f"({number}) {SEG_TOKEN}" for number in range(SEG_TOKENS))
        after = AFTER.format(question=questions[question - 1].format(sent=text), answer=ANSWERS[answer - 1].format(seg=seg))
        return Prompt((*self._ids(BEFORE), VISUAL, *self._ids(after)), self.seg_token)

    def normalise(self, sentence: str) -> str:
        """Lower case with single spaces, as the published evaluation does; refuses what would change the token layout."""
        text = " ".join(sentence.lower().split())
        if not text:
            raise SentenceError('the sentence is empty; say what to find, e.g. "the dog that jumps last"')
        if len(text) > MAX_SENTENCE_LENGTH:
            raise SentenceError(f"the sentence has {len(text)} characters; at most {MAX_SENTENCE_LENGTH} can be asked")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise SentenceError("the sentence holds control characters; type it again without them")
        for token in (IMAGE_TOKEN, SEG_TOKEN.lower(), *self._special_tokens()):
            if token in text:
                raise SentenceError(f"the sentence holds {token}, which the model reads as a command; leave it out")
        return text

    def unknown_words(self, sentence: str) -> list[str]:
        """Words that a word-level vocabulary has never seen; always empty for the published model."""
        unknown = self.tokenizer.token_to_id(UNKNOWN_TOKEN)
        if unknown is None:
            return []
        words = re.findall(r"[\w']+", sentence.lower())
        return [word for word in dict.fromkeys(words) if unknown in self._ids(word)]

    def _special_tokens(self) -> Sequence[str]:
        return [token.content.lower() for token in self.tokenizer.get_added_tokens_decoder().values()]

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids
