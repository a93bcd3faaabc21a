"""The language model passes through; it does not move in.

It is run once per video and then not again, so its layers need not stay: each is read from the memory-mapped files on to the
device, run, and let go before the next one is read. A layer of the full model is 445 MB in bfloat16, all of them 12.5 GB.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from virst_cli.checkpoints.weights import ModelFolder, parameters_on_meta
from virst_cli.model.language import LanguageModel, decoder_layer

PREFIX = "language_model."


class LayerStream:
    """The decoder layers in order, as often as they are asked for, one at a time.

    It is one module that is filled anew for every layer: a loop holds on to its last layer while it asks for the next, so with a
    module each there would be two in memory.
    """

    def __init__(self, folder: ModelFolder, *, device: torch.device | str, dtype: torch.dtype) -> None:
        self.folder, self.device, self.dtype = folder, device, dtype

    def __iter__(self) -> Iterator[nn.Module]:
        with parameters_on_meta():
            layer = decoder_layer(self.folder.config.language).requires_grad_(False)
        for number in range(self.folder.config.language.layers):
            self.folder.load(layer, f"{PREFIX}layers.{number}.", device=self.device, dtype=self.dtype)
            yield layer
            layer.to_empty(device="meta")  # let go


class StoredEmbeddings(nn.Module):
    """Embeddings of token ids, read row by row from the files; a prompt uses some hundred of 151,647 rows."""

    def __init__(self, folder: ModelFolder, *, device: torch.device | str, dtype: torch.dtype) -> None:
        super().__init__()
        self.folder, self.device, self.dtype = folder, device, dtype

    def forward(self, ids: Tensor) -> Tensor:
        rows = self.folder.rows(f"{PREFIX}embed_tokens.weight", ids)
        return rows.to(device=self.device, dtype=self.dtype)


def streamed_language_model(
    folder: ModelFolder, *, device: torch.device | str, dtype: torch.dtype = torch.bfloat16
) -> LanguageModel:
    """A language model that holds nothing but its last norm, and one layer while it runs."""
    with parameters_on_meta():
        model = LanguageModel(
            folder.config.language,
            layers=LayerStream(folder, device=device, dtype=dtype),
            embed_tokens=StoredEmbeddings(folder, device=device, dtype=dtype),
        )
    folder.load(model.norm, f"{PREFIX}norm.", device=device, dtype=dtype)
    return model
