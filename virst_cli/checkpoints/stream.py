"""The language model passes through; it does not move in.

It is run once per video and then not again, so its layers need not stay: each is read from the memory-mapped files on to the
device, run, and let go before the next one is read. A layer of the full model is 466 MB in bfloat16, all of them 13 GB.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from virst_cli.checkpoints.prefetch import PrefetchedLayers
from virst_cli.checkpoints.weights import ModelFolder, parameters_on_meta
from virst_cli.model.language import LanguageModel, decoder_layer

PREFIX = "language_model."
WITH_STREAMS = ("cuda", "xpu")  # types of devices that copy from pinned memory while they work


class LayerStream:
    """The decoder layers in order, as often as they are asked for, one at a time.

    It is one module that is filled anew for every layer: a loop holds on to its last layer while it asks for the next, so with a
    module each there would be two in memory.
    """

    def __init__(
        self,
        folder: ModelFolder,
        *,
        device: torch.device | str,
        dtype: torch.dtype,
        passed: Callable[[int], None] = lambda done: None,
    ) -> None:
        """passed: hears before every layer how many are done."""
        self.folder, self.device, self.dtype, self.passed = folder, device, dtype, passed

    def __iter__(self) -> Iterator[nn.Module]:
        with parameters_on_meta():
            layer = decoder_layer(self.folder.config.language).requires_grad_(False)
        for number in range(self.folder.config.language.layers):
            self.folder.load(layer, f"{PREFIX}layers.{number}.", device=self.device, dtype=self.dtype)
            self.passed(number)
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


def _layers(
    folder: ModelFolder, device: torch.device, dtype: torch.dtype, passed: Callable[[int], None]
) -> LayerStream | PrefetchedLayers:
    """Ahead of use where the device can copy while it works; on the CPU both would want the same memory and the same cores."""
    if device.type in WITH_STREAMS:
        return PrefetchedLayers(folder, f"{PREFIX}layers.", device=device, dtype=dtype, passed=passed)
    return LayerStream(folder, device=device, dtype=dtype, passed=passed)


def streamed_language_model(
    folder: ModelFolder,
    *,
    device: torch.device | str,
    dtype: torch.dtype = torch.bfloat16,
    passed: Callable[[int], None] = lambda done: None,
) -> LanguageModel:
    """A language model that holds nothing but its last norm, and while it runs one layer, or on an accelerator two."""
    with parameters_on_meta():
        model = LanguageModel(
            folder.config.language,
            layers=_layers(folder, torch.device(device), dtype, passed),
            embed_tokens=StoredEmbeddings(folder, device=device, dtype=dtype),
        )
    folder.load(model.norm, f"{PREFIX}norm.", device=device, dtype=dtype)
    return model
