"""The layout of a batch's packed sequences, each padded to the length of the longest.

As in `language.packed_layout`, which is for one video, a sequence has the prefix and the visual tokens, which all sentences
attend to, then each sentence, which attends to itself. Padding attends to itself, and nothing else attends to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import torch
from torch import Tensor

from virst_cli.model.language import packed_mask
from virst_cli.model.prompt import Prompt

SHARED, PADDING = 0, -1  # parts of a sequence that are no sentence; `packed_mask` has the first seen by all


@dataclass
class PackedLayout:
    """The layout of B sequences of length L: prefix and visual tokens, then l tokens of S sentences and padding."""

    tokens: Tensor  # B,l   ids
    positions: Tensor  # B,L   for rotary positions
    part: Tensor  # B,L   SHARED, number of the sentence from 1, or PADDING
    seg_places: Tensor  # B,S,10   indices of the [SEG] tokens in a sequence

    @staticmethod
    def of(prompts: Sequence[Sequence[Prompt]], visual: int, device: torch.device) -> "PackedLayout":
        """The layout of B times S prompts.

        visual: number of visual tokens per video.
        """
        start = len(prompts[0][0].prefix) + visual
        videos = [[prompt.sentence for prompt in video] for video in prompts]
        longest = max(sum(map(len, sentences)) for sentences in videos)

        def table(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
            return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows], device=device)

        shared = torch.arange(start, device=device).expand(len(videos), -1)
        token_table = table([list(chain(*sentences)) for sentences in videos], 0)
        places = table([[start + n for tokens in sentences for n in range(len(tokens))] for sentences in videos], 0)
        part = table([[s for s, tokens in enumerate(sentences, 1) for _ in tokens] for sentences in videos], PADDING)
        begins = [accumulate(map(len, sentences[:-1]), initial=start) for sentences in videos]
        seg_places = [
            [[begin + place for place in prompt.seg_positions] for begin, prompt in zip(row, video, strict=True)]
            for row, video in zip(begins, prompts, strict=True)
        ]
        return PackedLayout(
            token_table, torch.cat([shared, places], 1), torch.cat([torch.full_like(shared, SHARED), part], 1),
            torch.tensor(seg_places, device=device),
        )  # fmt: skip

    def mask(self) -> Tensor:
        """True where a row may attend to a column, (B,L,L) bool."""
        return packed_mask(self.part)
