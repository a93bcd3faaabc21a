"""The model's parts, loaded for their stage and let go after it, or kept where the model is small."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from virst_cli.checkpoints.stream import streamed_language_model
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.config import VirstConfig
from virst_cli.model.language import LanguageModel
from virst_cli.model.small import SMALL
from virst_cli.model.virst import Fusion, Vision


class Parts:
    """Gives each part of a model for as long as a `with` block lasts.

    `keep`: whether parts stay in memory between stages and videos, and the language model is held whole instead of
    streamed layer by layer.
    """

    def __init__(self, folder: ModelFolder, *, device: torch.device, dtype: torch.dtype, keep: bool | None = None) -> None:
        self.folder, self.device, self.dtype = folder, device, dtype
        size = sum(file.stat().st_size for file in folder.path.glob("*.safetensors"))
        self.keep = size < SMALL if keep is None else keep
        self._kept: dict[str, nn.Module] = {}

    @property
    def config(self) -> VirstConfig:
        return self.folder.config

    @contextmanager
    def vision(self) -> Iterator[Vision]:
        with self._part("vision", lambda: self._build(lambda: Vision(self.config), "vision.")) as part:
            yield part

    @contextmanager
    def language(self) -> Iterator[LanguageModel]:
        def make() -> LanguageModel:
            if self.keep:
                whole: LanguageModel = self._build(lambda: LanguageModel(self.config.language), "language_model.")
                return whole
            return streamed_language_model(self.folder, device=self.device, dtype=self.dtype).eval()

        with self._part("language", make) as part:
            yield part

    @contextmanager
    def fusion(self) -> Iterator[Fusion]:
        with self._part("fusion", lambda: self._build(lambda: Fusion(self.config), "fusion.")) as part:
            yield part

    def _build(self, make: Callable[[], Any], prefix: str) -> Any:
        return self.folder.build(make, prefix, device=self.device, dtype=self.dtype).eval()

    @contextmanager
    def _part(self, name: str, make: Callable[[], Any]) -> Iterator[Any]:
        part = self._kept.get(name) or make()
        if self.keep:
            self._kept[name] = part
        try:
            yield part
        finally:
            del part
            if not self.keep:
                gc.collect()
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
