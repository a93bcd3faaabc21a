"""Where masks come from: a model that is asked, a folder of pictures, or a folder that a model fills up.

Whichever it is, the rest of the benchmark sees masks frame by frame, and the names of what is not there.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.metrics import Cut, Mask
from virst_cli.bench.samples import Image, Sample
from virst_cli.errors import VideoError, VirstError

FrameMasks = Sequence[Mask | Cut | None]  # of one frame, one an expression: (H, W), or None where there is none


class MaskSource(Protocol):
    """Gives the masks of a sample."""

    @property
    def missing(self) -> Sequence[str]:
        """By now: videos, expressions and frames without a mask, each with the reason if it isn't plain absence."""
        ...

    @property
    def extra(self) -> Sequence[str]:
        """By now: files that belong to no frame."""
        ...

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """For every frame of the video, in order, a mask for each of its expressions."""
        ...


class Model(Protocol):
    """What can be asked; `virst_cli.segmenter.segmenter.Segmenter` is one."""

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        """Masks (n, H, W) of n sentences for every frame (H, W, 3), in order."""
        ...


class ModelMasks:
    """Asks a model, all sentences of a video at once. `frames` and `seconds`: how much it saw, and how long it took."""

    def __init__(self, model: Model) -> None:
        self.missing: list[str] = []
        self.extra: list[str] = []
        self.frames = 0
        self.seconds = 0.0
        self._model = model

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `Source`. A video that lacks frames is not asked about; a damaged one has no masks from the damage on.

        Raises `VirstError` when the model gives more or fewer frames than the video has.
        """
        given, wanted = 0, len(sample.frame_names)
        self.missing.extend(sample.missing)
        broken = bool(sample.missing)
        if not broken:
            try:
                for given, masks in enumerate(self._timed(sample), start=1):
                    if given > wanted:
                        break
                    yield list(masks)
            except VideoError as error:  # the rest of the data set is still worth asking about
                self.missing.append(f"{sample.video}: {error}")
                broken = True
        if given != wanted and not broken:
            count = "more" if given > wanted else f"only {given}"
            raise VirstError(f"{sample.video}: {count} frames of masks came for {wanted} frames of video")
        for _ in range(given, wanted):
            yield [None] * len(sample.expressions)

    def _timed(self, sample: Sample) -> Iterator[NDArray[np.bool_]]:
        """The model's answers. What it does before the first one counts too, the decoding of frames with it."""
        start = time.perf_counter()
        answers = self._model.segment_frames(sample.frames, [expression.text for expression in sample.expressions])
        for masks in answers:
            self.seconds += time.perf_counter() - start
            self.frames += 1
            yield masks
            start = time.perf_counter()
        self.seconds += time.perf_counter() - start


def of_one_size(sample: Sample, answers: Iterable[FrameMasks], missing: list[str]) -> Iterator[FrameMasks]:
    """The same masks without those that are not of the size of the video; these are named in `missing`."""
    size = sample.size
    for name, masks in zip(sample.frame_names, answers, strict=True):
        fitting: list[Mask | Cut | None] = []
        for expression, mask in zip(sample.expressions, masks, strict=True):
            if size is None and mask is not None:
                size = mask.shape[0], mask.shape[1]
            fits = mask is None or mask.shape == size
            fitting.append(mask if fits else None)
            if mask is not None and size is not None and not fits:
                place = f"{sample.folder(expression)}/{name}.png"
                missing.append(f"{place}: {_pixels(mask.shape)} pixels, the video has {_pixels(size)}")
        yield fitting


def _pixels(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
