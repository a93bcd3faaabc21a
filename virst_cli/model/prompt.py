"""Turns a sentence into token ids with the published templates, word for word (spec section 2).

The answer is part of the prompt: the language model reads "It is (0) [SEG], ... (9) [SEG]." as if it had said so, and only its
hidden states at the ten [SEG] tokens are used. The templates say "image" for a video, because the published model was trained
with that.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from virst_cli.errors import SentenceError, WeightsError
from virst_cli.model.config import SEG_TOKENS

VISUAL = -200  # placeholder among the ids for the visual tokens
IMAGE_TOKEN = "<image>"
SEG_TOKEN = "[SEG]"
UNKNOWN_TOKEN = "[UNK]"  # only in word-level vocabularies, such as that of virst-nano
MAX_SENTENCE_LENGTH = 1000  # characters; a longer sentence is a mistake, and would fill the context

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
    """The prompt for one sentence.

    ids: token ids with one `VISUAL` placeholder.
    seg_token: the id of [SEG], which is there ten times.
    """

    ids: tuple[int, ...]
    seg_token: int

    @property
    def placeholder(self) -> int:
        """The index of the placeholder in `ids`."""
        return self.ids.index(VISUAL)

    @property
    def prefix(self) -> tuple[int, ...]:
        """The ids before the visual tokens, which are the same for every sentence."""
        return self.ids[: self.placeholder]

    @property
    def sentence(self) -> tuple[int, ...]:
        """The ids after the visual tokens."""
        return self.ids[self.placeholder + 1 :]

    @property
    def seg_positions(self) -> list[int]:
        """The indices of the [SEG] tokens in `sentence`."""
        return [place for place, token in enumerate(self.sentence) if token == self.seg_token]


class PromptBuilder:
    """Turns sentences into prompts with a model's tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises WeightsError for a tokenizer without [SEG]."""
        self.tokenizer = tokenizer
        seg = tokenizer.token_to_id(SEG_TOKEN)
        if seg is None:
            raise WeightsError("the tokenizer has no [SEG] token; import the checkpoint again with `virst weights import`")
        self.seg_token = seg

    @staticmethod
    def from_file(path: Path) -> "PromptBuilder":
        """Reads a tokenizer.json. Raises WeightsError when that is not possible."""
        try:
            return PromptBuilder(Tokenizer.from_file(str(path)))
        except WeightsError:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            raise WeightsError(
                f"{path} is not a tokenizer ({error}); import the model again with `virst weights import`"
            ) from None

    def build(self, sentence: str, *, question: int = 1, answer: int = 1) -> Prompt:
        """The prompt for a sentence. Raises SentenceError as `normalise`.

        question, answer: numbers of the templates, from 1.
        """
        text = self.normalise(sentence)
        questions = LONG_QUESTIONS if text.endswith("?") else SHORT_QUESTIONS
        seg = ", ".join(f"({number}) {SEG_TOKEN}" for number in range(SEG_TOKENS))
        after = AFTER.format(question=questions[question - 1].format(sent=text), answer=ANSWERS[answer - 1].format(seg=seg))
        return Prompt((*self._ids(BEFORE), VISUAL, *self._ids(after)), self.seg_token)

    def normalise(self, sentence: str) -> str:
        """The sentence in lower case with single spaces, as in the published evaluation.

        Raises SentenceError for a sentence that is empty, too long, or has characters or tokens that would change the prompt.
        """
        text = " ".join(sentence.lower().split())
        if not text:
            raise SentenceError('the sentence is empty; say what to find, e.g. "the dog that jumps last"')
        if len(text) > MAX_SENTENCE_LENGTH:
            raise SentenceError(
                f"the sentence has {len(text)} characters, but at most {MAX_SENTENCE_LENGTH} are possible; shorten it"
            )
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise SentenceError("the sentence contains control characters; type it again without them")
        for token in (IMAGE_TOKEN, SEG_TOKEN.lower(), *self._special_tokens()):
            if token in text:
                raise SentenceError(f"the sentence contains {token}, which has a special meaning for the model; leave it out")
        return text

    def unknown_words(self, sentence: str) -> list[str]:
        """The words that are missing from a word-level vocabulary; always empty for the published model."""
        unknown = self.tokenizer.token_to_id(UNKNOWN_TOKEN)
        if unknown is None:
            return []
        words = re.findall(r"[\w']+", sentence.lower())
        return [word for word in dict.fromkeys(words) if unknown in self._ids(word)]

    def _special_tokens(self) -> Sequence[str]:
        return [token.content.lower() for token in self.tokenizer.get_added_tokens_decoder().values()]

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids
