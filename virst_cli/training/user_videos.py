"""Batches of the user's videos: any data set of `virst bench` that has masks.

A clip has frames that are spread over the whole video, as the model sees it in use. The labels are one mask per sentence and
frame, so the things of a clip are its sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from virst_cli.bench import Sample
from virst_cli.errors import UsageError
from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.training_batch import TrainingBatch, covered

CACHED_FRAMES = 4096  # 50 kB each at 128 x 128 pixels


@dataclass
class UserBatch(TrainingBatch):
    """Clips of the user's videos, whose things are their sentences: K = S."""

    truth: Tensor  # B,T,S,H,W bool

    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """True masks (R,H,W) float of R rows, as `TrainingBatch.masks` says."""
        return (self.truth[clip, time] & targets[:, :, None, None]).any(1).float()


class UserVideos:
    """The user's videos as a source of batches. Raises UsageError if frames or masks are missing.

    name: of the data set.
    size: width and height that frames are resized to, in pixels.
    """

    def __init__(self, name: str, samples: Sequence[Sample], prompts: PromptBuilder, size: int) -> None:
        self.name, self.samples, self.prompts, self.size = name, samples, prompts, size
        missing = [name for sample in samples for name in sample.missing]
        if missing:
            raise UsageError(f"{name} lacks {len(missing)} files, for example {', '.join(missing[:3])}; add them, then train")
        self._small = lru_cache(maxsize=CACHED_FRAMES)(self._read_frame)

    def __reduce__(self) -> tuple[type["UserVideos"], tuple[object, ...]]:
        """Pickles without the cached frames, for processes that make batches."""
        return UserVideos, (self.name, self.samples, self.prompts, self.size)

    def __call__(
        self, keys: Sequence[Sequence[int]], *, clips: int, frames: int, sentences: int, types: Sequence[str] = ()
    ) -> UserBatch:
        """One batch with `clips` clips for each seed in `keys`; see `BatchSource`. `types` is ignored."""
        images, truths, prompts = [], [], []
        for rng in (np.random.default_rng(list(key)) for key in keys):
            for _ in range(clips):
                video = int(rng.integers(len(self.samples)))
                sample = self.samples[video]
                times = _times(rng, len(sample.frame_names), frames)
                count = len(sample.expressions)
                chosen = [int(e) for e in (rng.permutation(count) if count >= sentences else rng.integers(count, size=sentences))]
                images.append(np.stack([self._small(video, t) for t in times]))
                truths.append(np.stack([[self._mask(sample, e, t) for e in chosen[:sentences]] for t in times]))
                prompts.append([self.prompts.build(sample.expressions[e].text) for e in chosen[:sentences]])
        truth = np.stack(truths)  # B,T,S,H,W
        return UserBatch(
            images=torch.from_numpy(np.stack(images)).permute(0, 1, 4, 2, 3),
            cover=torch.from_numpy(np.moveaxis(covered(truth), 2, -1).copy()),
            targets=torch.eye(sentences, dtype=torch.bool).expand(len(prompts), -1, -1),
            prompts=prompts,
            truth=torch.from_numpy(truth),
        )

    def _read_frame(self, video: int, time: int) -> npt.NDArray[np.uint8]:
        """A frame at the size of the model, (size, size, 3)."""
        frame = Image.fromarray(self.samples[video].frames[time])
        return np.asarray(frame.resize((self.size, self.size), Image.Resampling.BILINEAR))

    def _mask(self, sample: Sample, expression: int, time: int) -> npt.NDArray[np.bool_]:
        """The true mask of an expression in a frame, (size, size)."""
        mask = sample.expressions[expression].truth[time]
        if mask is None:
            return np.zeros((self.size, self.size), bool)
        small = Image.fromarray(np.asarray(mask) * np.uint8(255)).resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small) > 127


def _times(rng: np.random.Generator, count: int, frames: int) -> list[int]:
    """Numbers of `frames` evenly spaced frames of a video with `count` frames, ascending, with a random offset.

    A shorter video repeats frames.
    """
    places = (np.arange(frames) + rng.uniform(0.1, 0.9)) * count / frames
    return [min(count - 1, int(place)) for place in places]
