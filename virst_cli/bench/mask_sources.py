"""Where the masks of a benchmark come from: what a source of masks is, and the one that asks a model.

A source can also be a folder of masks (predictions.py) or a folder that a model fills (mask_store.py). Whichever it is, the rest
of the benchmark gets masks frame by frame, and the names of those that are missing.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from virst_cli.bench.metrics import CroppedMask, Mask
from virst_cli.bench.samples import Image, Sample
from virst_cli.errors import VideoError, VirstError

FrameMasks = Sequence[Mask | CroppedMask | None]  # of one frame: for each expression (H, W), or None where there is no mask


class MaskSource(Protocol):
    """Gives the masks of a sample."""

    @property
    def missing(self) -> Sequence[str]:
        """Videos, expressions and frames found without a mask so far, each with the reason if it is not plain absence."""
        ...

    @property
    def extra(self) -> Sequence[str]:
        """Files found so far that belong to no frame."""
        ...

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """For every frame of the video, in order, a mask for each of its expressions."""
        ...


class Model(Protocol):
    """A model that can be scored, such as `virst_cli.segmenter.segmenter.Segmenter`."""

    def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
        """Masks (n, H, W) of n sentences for every frame (H, W, 3), in order."""
        ...


class ModelMasks:
    """Asks a model for masks, with all sentences of a video at once.

    frames: how many frames the model has segmented.
    seconds: how long that took.
    """

    def __init__(self, model: Model) -> None:
        self.missing: list[str] = []
        self.extra: list[str] = []
        self.frames = 0
        self.seconds = 0.0
        self._model = model

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `MaskSource`. A video that lacks frames is not segmented; a damaged one has no masks after the damage.

        Raises `VirstError` when the model gives more or fewer frames than the video has.
        """
        received, expected = 0, len(sample.frame_names)
        self.missing.extend(sample.missing)
        broken = bool(sample.missing)
        if not broken:
            try:
                for received, masks in enumerate(self._timed(sample), start=1):
                    if received > expected:
                        break
                    yield list(masks)
            except VideoError as error:  # the other videos of the data set can still be scored
                self.missing.append(f"{sample.video}: {error}")
                broken = True
        if received != expected and not broken:
            count = "more" if received > expected else f"only {received}"
            raise VirstError(f"{sample.video}: the model gave masks for {count} frames, but the video has {expected}")
        for _ in range(received, expected):
            yield [None] * len(sample.expressions)

    def _timed(self, sample: Sample) -> Iterator[NDArray[np.bool_]]:
        """The model's masks; the time before the first one counts too, and with it the decoding of frames."""
        start = time.perf_counter()
        answers = self._model.segment_frames(sample.frames, [expression.text for expression in sample.expressions])
        for masks in answers:
            self.seconds += time.perf_counter() - start
            self.frames += 1
            yield masks
            start = time.perf_counter()
        self.seconds += time.perf_counter() - start


def of_one_size(sample: Sample, masks_by_frame: Iterable[FrameMasks], missing: list[str]) -> Iterator[FrameMasks]:
    """The same masks without those that differ from the video in size; these are added to `missing`."""
    size = sample.size
    for name, masks in zip(sample.frame_names, masks_by_frame, strict=True):
        fitting: list[Mask | CroppedMask | None] = []
        for expression, mask in zip(sample.expressions, masks, strict=True):
            if size is None and mask is not None:
                size = mask.shape[0], mask.shape[1]
            fits = mask is None or mask.shape == size
            fitting.append(mask if fits else None)
            if mask is not None and size is not None and not fits:
                file = f"{sample.folder(expression)}/{name}.png"
                missing.append(f"{file}: {_pixels(mask.shape)} pixels, the video has {_pixels(size)}")
        yield fitting


def _pixels(size: tuple[int, ...]) -> str:
    """A size (H, W) as people write it, width first."""
    return f"{size[1]}x{size[0]}"
