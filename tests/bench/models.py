"""Models that need no weights: they answer from the truth, with a known mistake, or from the colours of a frame."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench import Dataset, Sample
from virst_cli.bench.samples import Image


class Oracle:
    """Knows every sample by its first frame, and the masks by the sentence; an unknown sentence gets an empty mask."""

    def __init__(self, dataset: Dataset) -> None:
        self._samples = {self._key(sample): sample for sample in (dataset[i] for i in range(len(dataset)))}
        self.calls: list[list[str]] = []

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        self.calls.append(list(sentences))
        sample = self._samples[np.asarray(frames[0]).tobytes()]
        for t, frame in enumerate(frames):
            yield np.stack([self.mask(sample, sentence, t, frame.shape[:2]) for sentence in sentences])

    def mask(self, sample: Sample, sentence: str, t: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        meant = [expression for expression in sample.expressions if expression.text == sentence]
        truth = meant[0].truth[t] if meant else None
        return np.zeros(shape, bool) if truth is None else truth

    @staticmethod
    def _key(sample: Sample) -> bytes:
        return np.asarray(sample.frames[0]).tobytes() if len(sample.frames) else b""


class Bright:
    """Finds whatever is brighter than `limit`; later sentences want it brighter."""

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.calls: list[list[str]] = []

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        self.calls.append(list(sentences))
        limits = [self.limit + 5 * sum(map(ord, sentence)) % 50 for sentence in sentences]
        for frame in frames:
            yield np.stack([frame.max(axis=2) > limit for limit in limits])


class Silent:
    """Never finds anything."""

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        for frame in frames:
            yield np.zeros((len(sentences), *frame.shape[:2]), bool)


class Hasty(Silent):
    """Forgets the last frame."""

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        return super().segment_frames(frames[:-1], sentences)
