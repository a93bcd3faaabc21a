"""The language model: Qwen2 reads the whole video and the sentences once; nothing is generated (spec sections 1 and 7).

All sentences about a video share its visual tokens, so they are read as one packed sequence: the prefix (system prompt
and visual tokens), then every sentence in turn. A mask lets each sentence see the prefix and itself only, and its
positions go on from the end of the prefix, so the result for a sentence is the one it would get alone.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2RMSNorm, Qwen2RotaryEmbedding

from virst_cli.model.config import LanguageConfig


def qwen2_config(config: LanguageConfig) -> Qwen2Config:
    """Our sizes as transformers wants them."""
    return Qwen2Config(
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.key_value_heads,
        intermediate_size=config.mlp,
        vocab_size=config.vocabulary,
        rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        attn_implementation="sdpa",
    )


def decoder_layer(config: LanguageConfig) -> Qwen2DecoderLayer:
    """One decoder layer; all are alike, so a single one can be filled with the weights of each in turn."""
    return Qwen2DecoderLayer(qwen2_config(config), layer_idx=0)


def packed_layout(prefix: int, sentences: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Positions (L,) and mask (L,L) of a prefix followed by sentences of those lengths; True where a row may look."""
    lengths = [prefix, *sentences]
    part = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))  # L   0 for the prefix
    positions = torch.cat([torch.arange(prefix), *(torch.arange(prefix, prefix + n) for n in sentences)])
    return positions, may_look(part)


def may_look(part: Tensor) -> Tensor:
    """Where a row may look, (...,L,L), from the part that each token is of, (...,L): its own and part 0, up to itself."""
    same = (part[..., :, None] == part[..., None, :]) | (part[..., None, :] == 0)
    return same.tril()


class LanguageModel(nn.Module):
    """Embeddings (B,L,C), positions (B,L) and mask (B,L,L) in, hidden states after the final norm (B,L,C) out.

    `layers` is any iterable of decoder layers: a ModuleList that stays in memory, or a stream that holds one at a time.
    `embed_tokens` is likewise anything that turns ids into embeddings.
    """

    def __init__(
        self, config: LanguageConfig, layers: Iterable[nn.Module] | None = None, embed_tokens: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self._qwen2 = qwen2_config(config)
        self.embed_tokens = embed_tokens or nn.Embedding(config.vocabulary, config.width)
        self.layers = layers or nn.ModuleList(decoder_layer(config) for _ in range(config.layers))
        self.norm = Qwen2RMSNorm(config.width, eps=config.norm_eps)

    def forward(self, embeddings: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        rotary = Qwen2RotaryEmbedding(self._qwen2).to(embeddings.device)(embeddings, positions)
        mask = torch.zeros(mask.shape, device=mask.device, dtype=embeddings.dtype).masked_fill(~mask, -torch.inf)[:, None]
        hidden = embeddings
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=mask, position_embeddings=rotary)
        return self.norm(hidden)
