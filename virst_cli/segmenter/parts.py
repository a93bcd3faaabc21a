"""The parts of a model, each loaded for its stage and let go after it, or kept where there is room."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from virst_cli.checkpoints.stream import StoredEmbeddings, streamed_language_model
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.residency import Residency
from virst_cli.machine.memory import release_freed
from virst_cli.model.config import VirstConfig
from virst_cli.model.language import LanguageModel
from virst_cli.model.virst import Fusion, Vision


class ModelParts:
    """Gives each part of a model for as long as a `with` block lasts."""

    def __init__(
        self,
        folder: ModelFolder,
        *,
        device: torch.device,
        dtype: torch.dtype,
        residency: Residency = Residency.EVERYTHING,
    ) -> None:
        """residency: which parts stay in memory after their block."""
        self.folder, self.device, self.dtype, self.residency = folder, device, dtype, residency
        self._loaded: dict[str, nn.Module] = {}

    @property
    def config(self) -> VirstConfig:
        """The sizes of the model."""
        return self.folder.config

    def autocast(self) -> AbstractContextManager[Any]:
        """Within the block, products are calculated in the model's dtype."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    @contextmanager
    def vision(self) -> Iterator[Vision]:
        """The vision tower and its projector."""
        with self._part("vision", lambda: self._build(lambda: Vision(self.config), "vision.")) as part:
            yield part

    @contextmanager
    def language(self, on_layer: Callable[[int], None] = lambda done: None) -> Iterator[LanguageModel]:
        """The language model. on_layer: called with the number of layers that are done, where they pass through one by one."""

        def make() -> LanguageModel:
            if self.residency is Residency.EVERYTHING:
                whole: LanguageModel = self._build(lambda: LanguageModel(self.config.language), "language_model.")
                return whole
            return streamed_language_model(self.folder, device=self.device, dtype=self.dtype, on_layer=on_layer).eval()

        with self._part("language", make) as part:
            yield part

    @contextmanager
    def fusion(self) -> Iterator[Fusion]:
        """SAM 2 and both fusions."""
        with self._part("fusion", lambda: self._build(lambda: Fusion(self.config), "fusion.")) as part:
            yield part

    def embedded(self, ids: Sequence[int]) -> Tensor:
        """Embeddings (len(ids), D) of tokens, read without the rest of the language model."""
        return StoredEmbeddings(self.folder, device=self.device, dtype=self.dtype).forward(torch.tensor(ids))

    def _build(self, make: Callable[[], Any], prefix: str) -> Any:
        return self.folder.build(make, prefix, device=self.device, dtype=self.dtype).eval()

    @contextmanager
    def _part(self, name: str, make: Callable[[], Any]) -> Iterator[Any]:
        residency = self.residency
        stays = residency is Residency.EVERYTHING or (residency is Residency.ENCODERS and name != "language")
        part = self._loaded.get(name) or make()
        if stays:
            self._loaded[name] = part
        try:
            yield part
        finally:
            if not stays:
                part.to_empty(device="meta")  # whoever still holds the module holds no weights
                gc.collect()
                release_freed()
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
