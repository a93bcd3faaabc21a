"""The step reason: Qwen2 reads the visual tokens and the sentences in one prefill; no text is generated (spec sections 1 and 7).

All sentences about a video share its visual tokens, so they are read as one packed sequence: the prefix (system prompt and visual
tokens), then one sentence after the other. An attention mask lets each sentence see the prefix and itself only, and its positions
continue from the end of the prefix, so that the result for a sentence is the one that it would get alone.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2RMSNorm, Qwen2RotaryEmbedding

from virst_cli.model.config import LanguageConfig


def qwen2_config(config: LanguageConfig) -> Qwen2Config:
    """Our sizes as a configuration of transformers."""
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
    """One decoder layer. All have the same shapes, so one module can be filled with the weights of each in turn."""
    return Qwen2DecoderLayer(qwen2_config(config), layer_idx=0)


def packed_layout(prefix: int, sentences: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Positions (L,) and attention mask (L,L) bool of a packed sequence; mask[i, j]: token i attends to token j.

    prefix, sentences: lengths in tokens.
    """
    lengths = [prefix, *sentences]
    part = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))  # L   0: prefix; 1, 2, ...: sentences
    positions = torch.cat([torch.arange(prefix), *(torch.arange(prefix, prefix + n) for n in sentences)])
    return positions, packed_mask(part)


def packed_mask(part: Tensor) -> Tensor:
    """The attention mask (...,L,L) of a packed sequence: a token attends to its own part and to part 0, up to itself.

    part: the number of the part that each token belongs to, (...,L).
    """
    same = (part[..., :, None] == part[..., None, :]) | (part[..., None, :] == 0)
    return same.tril()


class LanguageModel(nn.Module):
    """Qwen2 without its output head: embeddings to hidden states after the final norm."""

    def __init__(
        self, config: LanguageConfig, layers: Iterable[nn.Module] | None = None, embed_tokens: nn.Module | None = None
    ) -> None:
        """Builds the model.

        layers: any iterable of decoder layers, such as a stream that has one in memory at a time; None for a ModuleList.
        embed_tokens: a module that turns token ids into embeddings; None for a table.
        """
        super().__init__()
        self.config = config
        self._qwen2 = qwen2_config(config)
        self.embed_tokens = embed_tokens or nn.Embedding(config.vocabulary, config.width)
        self.layers = layers or nn.ModuleList(decoder_layer(config) for _ in range(config.layers))
        self.norm = Qwen2RMSNorm(config.width, eps=config.norm_eps)

    def forward(self, embeddings: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Embeddings (B,L,C), positions (B,L) and attention mask (B,L,L) bool to hidden states (B,L,C)."""
        rotary = Qwen2RotaryEmbedding(self._qwen2).to(embeddings.device)(embeddings, positions)
        mask = torch.zeros(mask.shape, device=mask.device, dtype=embeddings.dtype).masked_fill(~mask, -torch.inf)[
            :, None
        ]  # B,1,L,L
        hidden = embeddings
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=mask, position_embeddings=rotary)  # B,L,C
        return self.norm(hidden)
