"""The second half of the step look: token merging reduces the 3,136 tokens of a clip to 64 (tome16_mlp_hd64; spec section 6).

Bolya et al., Token Merging, ICLR 2023. In every round, each token at an even place is paired with the most similar token at an
odd place, and the most similar pairs are averaged, weighted by how many tokens each already stands for. A round removes at most
half of the tokens.
"""

import torch
from torch import Tensor, nn

from virst_cli.model.config import VisionConfig


def schedule(tokens: int, target: int) -> list[int]:
    """How many tokens each round removes, from `tokens` down to `target`.

    >>> schedule(3136, 64)
    [1568, 784, 392, 196, 98, 34]
    """
    rounds = []
    while tokens > target:
        rounds.append(min(tokens - target, tokens // 2))
        tokens -= rounds[-1]
    return rounds


def merge_round(tokens: Tensor, sizes: Tensor, remove: int, heads: int) -> tuple[Tensor, Tensor]:
    """One round: tokens and sizes of P tokens to those of P-remove tokens.

    tokens: (B,P,C).
    sizes: how many original tokens each stands for, (B,P,1).
    remove: how many tokens are merged into others.
    heads: similarity is measured between means over this many heads.

    The remaining even tokens come first, by falling similarity, then all odd tokens in order. Of equal scores, the first wins.
    """
    metric = tokens.unflatten(2, (heads, -1)).mean(2)  # B,P,C/heads
    metric = metric / metric.norm(dim=-1, keepdim=True)
    scores = metric[:, ::2] @ metric[:, 1::2].transpose(1, 2)  # B,even,odd
    best, partner = scores.max(dim=-1)
    order = best.argsort(dim=-1, descending=True, stable=True)
    merged, kept = order[:, :remove], order[:, remove:]

    weighted = torch.cat([tokens * sizes, sizes], dim=-1)  # B,P,C+1   sizes are added up as their tokens are
    even, odd = weighted[:, ::2], weighted[:, 1::2]
    target = partner.gather(1, merged)[..., None].expand(-1, -1, weighted.shape[-1])
    odd = odd.scatter_add(1, target, _rows(even, merged))
    out = torch.cat([_rows(even, kept), odd], dim=1)
    return out[..., :-1] / out[..., -1:], out[..., -1:]


def _rows(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


class Projector(nn.Module):
    """Tokens of clips (B,P,vision width) to visual tokens (B,64,language width): token merging and a two-layer MLP."""

    def __init__(self, config: VisionConfig, language_width: int) -> None:
        super().__init__()
        self.config = config
        self.mlp = nn.Sequential(nn.Linear(config.width, language_width), nn.GELU(), nn.Linear(language_width, language_width))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.mlp(self.merge(tokens))

    def merge(self, tokens: Tensor) -> Tensor:
        """Tokens (B,P,C) to (B,64,C), in float32, because sums of up to 49 tokens lose too much in bfloat16."""
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.float()
            sizes = tokens.new_ones(*tokens.shape[:2], 1)
            for remove in schedule(tokens.shape[1], self.config.merged_tokens):
                tokens, sizes = merge_round(tokens, sizes, remove, self.config.merging_heads)
        return tokens
