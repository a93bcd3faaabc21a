"""How the packed sequences of a batch lie side by side, each padded to the longest.

As `language.packed_layout` has it for one video: the prefix and the visual tokens, which all sentences see, then every sentence,
which sees itself. Padding sees itself and is seen by nobody else.
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
    """Of B sequences of length L = prefix and visual tokens + l tokens of S sentences and padding."""

    tokens: Tensor  # B,l
    positions: Tensor  # B,L
    part: Tensor  # B,L
    seg_places: Tensor  # B,S,10

    @staticmethod
    def of(prompts: Sequence[Sequence[Prompt]], visual: int, device: torch.device) -> "PackedLayout":
        """The layout of B times S prompts behind that many visual tokens."""
        start = len(prompts[0][0].prefix) + visual
        videos = [[prompt.sentence for prompt in video] for video in prompts]
        longest = max(sum(map(len, sentences)) for sentences in videos)

        def table(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
            return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows], device=device)

        shared = torch.arange(start, device=device).expand(len(videos), -1)
        tokens = table([list(chain(*sentences)) for sentences in videos], 0)
        places = table([[start + n for said in sentences for n in range(len(said))] for sentences in videos], 0)
        part = table([[s for s, said in enumerate(sentences, 1) for _ in said] for sentences in videos], PADDING)
        begins = [accumulate(map(len, sentences[:-1]), initial=start) for sentences in videos]
        seg_places = [
            [[begin + place for place in prompt.seg_positions] for begin, prompt in zip(row, video, strict=True)]
            for row, video in zip(begins, prompts, strict=True)
        ]
        return PackedLayout(
            tokens, torch.cat([shared, places], 1), torch.cat([torch.full_like(shared, SHARED), part], 1),
            torch.tensor(seg_places, device=device),
        )  # fmt: skip

    def mask(self) -> Tensor:
        """True where a row may look, (B,L,L)."""
        return packed_mask(self.part)
