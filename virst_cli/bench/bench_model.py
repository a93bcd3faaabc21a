"""The model that a benchmark scores: how it is opened, and what the run records about it.

Nothing heavy is imported before a model is opened, because a choice of model is sent to workers that may run elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from virst_cli.bench.mask_sources import Model

if TYPE_CHECKING:
    pass

WHOLE_VIDEO = 2**31  # frames of a chunk: more than any video has, so that a video has one set of anchors


@dataclass(frozen=True)
class OpenedModel:
    """A model that is ready to be asked.

    model: gives the masks.
    made_by: `model` (its name and the sums of its weights) and `settings`: all that its masks depend on, besides the data set.
    """

    model: Model
    made_by: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The model's name, as the report shows it."""
        return str(self.made_by["model"]["name"])


@dataclass(frozen=True)
class BenchModel:
    """A choice of model and its settings, which can be pickled.

    model: as `--model` takes it; None for the best one that is installed.
    dtype: as `--dtype` takes it.
    max_memory: bytes that its weights may keep; None for most of what is free.
    as_published: process frames as the published code does, so that scores can be compared with its figures.
    """

    model: str | None = None
    dtype: str = "auto"
    max_memory: int | None = None
    as_published: bool = False

    @property
    def name(self) -> str:
        """The model's own name, read from its folder; a device is not needed. Raises `WeightsError` if it is not here."""
        from virst_cli.checkpoints.find import find_model
        from virst_cli.checkpoints.weights import ModelFolder

        return ModelFolder.open(find_model(self.model)).config.name

    def for_workers(self) -> "BenchModel":
        """The same choice for other processes: a folder by its absolute path, and the best model here by its name."""
        from virst_cli.checkpoints.find import find_model, name_for_workers

        find_model(self.model)  # downloads it if it has to be
        return replace(self, model=name_for_workers(self.model))

    def open(self, device: str) -> OpenedModel:
        """Opens the model on a device, which is named as `--device` takes it. Raises what `virst_cli.load` raises."""
        from virst_cli.checkpoints.registry import EMBEDDED
        from virst_cli.segmenter.load import load

        segmenter = load(self.model, device=device, dtype=self.dtype, max_memory=self.max_memory)
        if self.as_published and segmenter.name != EMBEDDED:  # the embedded model was not trained for that
            segmenter.faithful, segmenter.chunk = True, WHOLE_VIDEO
        return OpenedModel(segmenter, segmenter.made_by())
