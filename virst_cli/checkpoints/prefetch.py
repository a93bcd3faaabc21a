"""Layers that are copied ahead of use, for accelerators: while one works, the next is read and copied.

A thread reads a layer from the memory-mapped files into pinned memory, from where the device fetches it by itself, on a second
stream. Two layers are on the device at most, whose memory is used again and again; the other one is filled only when it has
done its work. Reading 466 MB takes about as long as the layer's work, so neither waits for the other for long.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from virst_cli.checkpoints.weights import ModelFolder, parameters_on_meta
from virst_cli.model.language import decoder_layer

SLOTS = 2  # layers on the device


class Lane:
    """The copies, in a stream of their own; on the CPU, which has no streams, they are done when they return."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = None if device.type == "cpu" else torch.Stream(device=device)

    def enter(self) -> None:
        """What this thread does from now on belongs to the lane."""
        if self._stream is not None:
            torch.accelerator.set_stream(self._stream)

    def mark(self) -> Any:
        """A point in the work that the calling thread has asked the device for; None where that is done already."""
        return None if self._stream is None else torch.accelerator.current_stream(self.device).record_event()

    def after(self, mark: Any) -> None:
        """Copies from now on begin when that work is done."""
        if self._stream is not None and mark is not None:
            self._stream.wait_event(mark)

    def finish(self) -> None:
        """Waits for the copies."""
        if self._stream is not None:
            self._stream.synchronize()


@dataclass
class Slot:
    """Room for one layer on the device. used: the mark behind the last work with it, or with what lay there before."""

    layer: nn.Module
    used: Any = None


class PrefetchedLayers:
    """The decoder layers in order, as often as they are asked for."""

    def __init__(
        self,
        folder: ModelFolder,
        prefix: str,
        *,
        device: torch.device,
        dtype: torch.dtype,
        passed: Callable[[int], None] = lambda done: None,
    ) -> None:
        """prefix: of the layers' tensors, up to their numbers; passed: hears before every layer how many are done."""
        self.folder, self.prefix, self.device, self.dtype, self.passed = folder, prefix, device, dtype, passed

    def __iter__(self) -> Iterator[nn.Module]:
        layers = self.folder.config.language.layers
        lane = Lane(self.device)
        slots = [Slot(self._room(), used=lane.mark()) for _ in range(min(SLOTS, layers))]
        pinned = self.device.type != "cpu"
        host = {
            name: torch.empty(tensor.shape, dtype=self.dtype, pin_memory=pinned)
            for name, tensor in slots[0].layer.state_dict().items()
        }
        with ThreadPoolExecutor(1, "layers", lane.enter) as reader:  # a pass that is given up waits for the copy under way
            coming = reader.submit(self._fill, slots[0], host, lane, 0)
            for number in range(layers):
                slot = coming.result()
                if number + 1 < layers:
                    coming = reader.submit(self._fill, slots[(number + 1) % SLOTS], host, lane, number + 1)
                self.passed(number)
                yield slot.layer
                slot.used = lane.mark()

    def _room(self) -> nn.Module:
        with parameters_on_meta():
            layer: nn.Module = decoder_layer(self.folder.config.language).requires_grad_(False)
        return layer.to(self.dtype).to_empty(device=self.device)

    @torch.inference_mode()  # which no thread inherits
    def _fill(self, slot: Slot, host: dict[str, Tensor], lane: Lane, number: int) -> Slot:
        """Reads a layer and has it copied; returns when it is there, and the host's memory may be used again."""
        self.folder.copy_to(host, f"{self.prefix}{number}.")
        lane.after(slot.used)
        for name, tensor in slot.layer.state_dict().items():
            tensor.copy_(host[name], non_blocking=True)
        lane.finish()
        return slot
