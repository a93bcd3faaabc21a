"""Streams the language model through memory, one layer at a time.

It runs only once per video, so its layers need not stay in memory: each is read from the memory-mapped files to the device, run,
and freed before the next one is read. A layer of the full model is 466 MB in bfloat16, all 28 together are 13 GB.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from virst_cli.checkpoints.prefetch import PrefetchedLayers
from virst_cli.checkpoints.weights import ModelFolder, parameters_on_meta
from virst_cli.model.language import LanguageModel, decoder_layer

PREFIX = "language_model."
WITH_STREAMS = ("cuda", "xpu")  # device types that copy from pinned memory while they work


class LayerStream:
    """The decoder layers in order, one in memory at a time. It can be iterated over any number of times.

    One module is filled again for every layer: a loop keeps its last layer until it has the next, so with one module per layer
    there would be two in memory.
    """

    def __init__(
        self,
        folder: ModelFolder,
        *,
        device: torch.device | str,
        dtype: torch.dtype,
        on_layer: Callable[[int], None] = lambda done: None,
    ) -> None:
        """on_layer: called before every layer with the number of layers that are done."""
        self.folder, self.device, self.dtype, self.on_layer = folder, device, dtype, on_layer

    def __iter__(self) -> Iterator[nn.Module]:
        with parameters_on_meta():
            layer = decoder_layer(self.folder.config.language).requires_grad_(False)
        for number in range(self.folder.config.language.layers):
            self.folder.load(layer, f"{PREFIX}layers.{number}.", device=self.device, dtype=self.dtype)
            self.on_layer(number)
            yield layer
            layer.to_empty(device="meta")  # frees it


class StoredEmbeddings(nn.Module):
    """Token embeddings, read row by row from the files; a prompt uses a few hundred of 151,647 rows."""

    def __init__(self, folder: ModelFolder, *, device: torch.device | str, dtype: torch.dtype) -> None:
        super().__init__()
        self.folder, self.device, self.dtype = folder, device, dtype

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings (*ids.shape, C) of token ids."""
        rows = self.folder.rows(f"{PREFIX}embed_tokens.weight", ids)
        return rows.to(device=self.device, dtype=self.dtype)


def _layers(
    folder: ModelFolder, device: torch.device, dtype: torch.dtype, on_layer: Callable[[int], None]
) -> LayerStream | PrefetchedLayers:
    """Prefetched layers where the device can copy while it works; on a CPU, copying would only compete for memory and cores."""
    if device.type in WITH_STREAMS:
        return PrefetchedLayers(folder, f"{PREFIX}layers.", device=device, dtype=dtype, on_layer=on_layer)
    return LayerStream(folder, device=device, dtype=dtype, on_layer=on_layer)


def streamed_language_model(
    folder: ModelFolder,
    *,
    device: torch.device | str,
    dtype: torch.dtype = torch.bfloat16,
    on_layer: Callable[[int], None] = lambda done: None,
) -> LanguageModel:
    """A language model that keeps only its last norm in memory, and one layer while it runs, or two on an accelerator.

    on_layer: called before every layer with the number of layers that are done.
    """
    with parameters_on_meta():
        model = LanguageModel(
            folder.config.language,
            layers=_layers(folder, torch.device(device), dtype, on_layer),
            embed_tokens=StoredEmbeddings(folder, device=device, dtype=dtype),
        )
    folder.load(model.norm, f"{PREFIX}norm.", device=device, dtype=dtype)
    return model
