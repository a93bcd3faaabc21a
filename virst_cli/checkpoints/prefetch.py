"""Prefetches decoder layers to an accelerator: while one layer works, the next is read and copied.

A thread reads a layer from the memory-mapped files into pinned memory, from where the device copies it by itself, on a second
stream. At most two layers are on the device. Their memory is reused: a layer is overwritten only when its work is done. Reading
466 MB takes about as long as the layer's work, so neither waits long for the other.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from virst_cli.checkpoints.weights import ModelFolder, parameters_on_meta
from virst_cli.model.language import decoder_layer

SLOTS = 2  # layers on the device at the same time


class CopyStream:
    """The stream that copies run on, beside the stream of the work. A CPU has no streams: a copy is done when it returns."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = None if device.type == "cpu" else torch.Stream(device=device)

    def enter(self) -> None:
        """Makes this the current stream of the calling thread."""
        if self._stream is not None:
            torch.accelerator.set_stream(self._stream)

    def record_event(self) -> Any:
        """An event behind the work that the calling thread has queued so far; None on a CPU, where that work is done already."""
        return None if self._stream is None else torch.accelerator.current_stream(self.device).record_event()

    def wait_for(self, event: Any) -> None:
        """Lets later copies start only when the work before an event is done."""
        if self._stream is not None and event is not None:
            self._stream.wait_event(event)

    def finish(self) -> None:
        """Waits until all copies are done."""
        if self._stream is not None:
            self._stream.synchronize()


@dataclass
class Slot:
    """Memory for one layer on the device. used: an event behind the last work that read this memory."""

    layer: nn.Module
    used: Any = None


class PrefetchedLayers:
    """The decoder layers in order, copied ahead of use. It can be iterated over any number of times."""

    def __init__(
        self,
        folder: ModelFolder,
        prefix: str,
        *,
        device: torch.device,
        dtype: torch.dtype,
        on_layer: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Copies nothing yet.

        prefix: of the names of the layers' tensors, up to the number of the layer.
        on_layer: called before every layer with the number of layers that are done.
        """
        self.folder, self.prefix, self.device, self.dtype, self.on_layer = folder, prefix, device, dtype, on_layer

    def __iter__(self) -> Iterator[nn.Module]:
        layers = self.folder.config.language.layers
        copies = CopyStream(self.device)
        slots = [Slot(self._empty_layer(), used=copies.record_event()) for _ in range(min(SLOTS, layers))]
        pinned = self.device.type != "cpu"
        host = {
            name: torch.empty(tensor.shape, dtype=self.dtype, pin_memory=pinned)
            for name, tensor in slots[0].layer.state_dict().items()
        }
        with ThreadPoolExecutor(1, "layers", copies.enter) as reader:  # a pass that ends early waits for the running copy
            upcoming = reader.submit(self._fill, slots[0], host, copies, 0)
            for number in range(layers):
                slot = upcoming.result()
                if number + 1 < layers:
                    upcoming = reader.submit(self._fill, slots[(number + 1) % SLOTS], host, copies, number + 1)
                self.on_layer(number)
                yield slot.layer
                slot.used = copies.record_event()

    def _empty_layer(self) -> nn.Module:
        with parameters_on_meta():
            layer: nn.Module = decoder_layer(self.folder.config.language).requires_grad_(False)
        return layer.to(self.dtype).to_empty(device=self.device)

    @torch.inference_mode()  # new threads do not inherit it
    def _fill(self, slot: Slot, host: dict[str, Tensor], copies: CopyStream, number: int) -> Slot:
        """Reads a layer and copies it to a slot. Returns when it is there and the host's memory may be overwritten."""
        self.folder.copy_to(host, f"{self.prefix}{number}.")
        copies.wait_for(slot.used)
        for name, tensor in slot.layer.state_dict().items():
            tensor.copy_(host[name], non_blocking=True)
        copies.finish()
        return slot
