"""The synthetic world as a benchmark: clips that are generated when they are used, and that training has never seen.

Training draws from `default_rng([seed, stage, step, rank])`, `virst world` from `default_rng((seed, number))`; numpy
pads a short key with zeros. Here the key is `[0xBE7C, seed, index, 0, 1]`: it ends in a number that neither has, so no
seed below 2**32 of theirs gives a clip of this set.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from virst_cli.bench.samples import Expression, Sample
from virst_cli.errors import UsageError
from virst_cli.version import __version__

KEY = 0xBE7C  # reads almost like "bench"
SENTENCES = 6  # per video, as `virst world` writes them
VIDEOS = 64  # 384 sentences: J&F is then known to about 3 points, a type to about 8


@dataclass(frozen=True)
class WorldSet:
    """A number of generated clips; the same seed gives the same clips.

    videos: how many clips.
    seed: chooses the clips.
    frames: of each clip.
    size: of a frame, (width, height) in pixels.
    name, archive: as in `Dataset`.
    """

    videos: int = VIDEOS
    seed: int = 0
    frames: int = 16
    size: tuple[int, int] = (128, 128)
    name: str = "world"
    archive: str | None = None

    def __post_init__(self) -> None:
        if self.videos < 1 or self.seed < 0:
            raise UsageError("a generated world needs at least 1 video, and a seed of at least 0")

    def __len__(self) -> int:
        return self.videos

    def facts(self) -> dict[str, Any]:
        """As in `Dataset`. The version of the tool is included, because another version may draw other clips."""
        return {**asdict(self), "size": list(self.size), "virst": __version__}

    def __getitem__(self, index: int) -> Sample:
        from virst_cli.world import make_clip  # takes as long to import as everything else

        if not 0 <= index < self.videos:
            raise IndexError(index)
        rng = np.random.default_rng([KEY, self.seed, index, 0, 1])
        clip = make_clip(rng, frames=self.frames, size=self.size, sentences=SENTENCES)
        return Sample(
            video=f"world{index:05d}",
            frame_names=[f"{t:05d}" for t in range(self.frames)],
            frames=list(clip.frames),
            expressions=[
                Expression(str(number), sentence.text, list(clip.masks(sentence)), sentence.type)
                for number, sentence in enumerate(clip.sentences)
            ],
            objects=clip.ids,
            size=self.size[::-1],
        )
