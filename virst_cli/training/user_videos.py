"""Somebody's own videos as batches: any data set of the benchmarks that has masks.

A clip is a number of frames spread over the whole video, as the model sees it in use; its things are its sentences, each
with a mask of its own, and nothing else is known.
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

HELD = 4096  # decoded frames that are kept, 50 kB each at 128 pixels


@dataclass
class UserBatch(TrainingBatch):
    """Clips whose things are their sentences: K = S."""

    truth: Tensor  # B,T,S,H,W bool

    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """Truth (R,H,W) float of R rows: targets (R,S) in frame `time` (R,) of `clip` (R,)."""
        return (self.truth[clip, time] & targets[:, :, None, None]).any(1).float()


class UserVideos:
    """A source of batches: the videos of the data set of that name. Raises UsageError where some are missing."""

    def __init__(self, name: str, samples: Sequence[Sample], prompts: PromptBuilder, size: int) -> None:
        self.name, self.samples, self.prompts, self.size = name, samples, prompts, size
        missing = [name for sample in samples for name in sample.missing]
        if missing:
            raise UsageError(f"{name} lacks {', '.join(missing[:3])} and {len(missing)} in all; complete it, then train")
        self._small = lru_cache(maxsize=HELD)(self._decoded)

    def __reduce__(self) -> tuple[type["UserVideos"], tuple[object, ...]]:
        """For processes that draw batches: they decode for themselves."""
        return UserVideos, (self.name, self.samples, self.prompts, self.size)

    def __call__(
        self, keys: Sequence[Sequence[int]], *, clips: int, frames: int, sentences: int, types: Sequence[str] = ()
    ) -> UserBatch:
        """The batch of some seeds, `clips` clips of each; `types` is of the synthetic world and changes nothing here."""
        images, truths, asked = [], [], []
        for rng in (np.random.default_rng(list(key)) for key in keys):
            for _ in range(clips):
                video = int(rng.integers(len(self.samples)))
                sample = self.samples[video]
                times = _times(rng, len(sample.frame_names), frames)
                count = len(sample.expressions)
                chosen = [int(e) for e in (rng.permutation(count) if count >= sentences else rng.integers(count, size=sentences))]
                images.append(np.stack([self._small(video, t) for t in times]))
                truths.append(np.stack([[self._mask(sample, e, t) for e in chosen[:sentences]] for t in times]))
                asked.append([self.prompts.build(sample.expressions[e].text) for e in chosen[:sentences]])
        truth = np.stack(truths)  # B,T,S,H,W
        return UserBatch(
            images=torch.from_numpy(np.stack(images)).permute(0, 1, 4, 2, 3),
            cover=torch.from_numpy(np.moveaxis(covered(truth), 2, -1).copy()),
            targets=torch.eye(sentences, dtype=torch.bool).expand(len(asked), -1, -1),
            prompts=asked,
            truth=torch.from_numpy(truth),
        )

    def _decoded(self, video: int, time: int) -> npt.NDArray[np.uint8]:
        frame = Image.fromarray(self.samples[video].frames[time])
        return np.asarray(frame.resize((self.size, self.size), Image.Resampling.BILINEAR))

    def _mask(self, sample: Sample, expression: int, time: int) -> npt.NDArray[np.bool_]:
        mask = sample.expressions[expression].truth[time]
        if mask is None:
            return np.zeros((self.size, self.size), bool)
        small = Image.fromarray(np.asarray(mask) * np.uint8(255)).resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small) > 127


def _times(rng: np.random.Generator, count: int, frames: int) -> list[int]:
    """Frame numbers of a clip, in order: evenly spread over the video, with some chance; a short video repeats frames."""
    places = (np.arange(frames) + rng.uniform(0.1, 0.9)) * count / frames
    return [min(count - 1, int(place)) for place in places]
