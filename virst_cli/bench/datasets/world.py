"""The synthetic world as a benchmark: clips drawn when they are asked for, none of which training has seen.

Training draws from `default_rng([seed, stage, step, rank])`, `virst world` from `default_rng((seed, number))`; numpy
pads a short key with zeros. Here the key is `[0xBE7C, seed, index, 0, 1]`: it ends in a word that neither has, so no
seed below 2**32 of theirs gives a clip of this set.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from virst_cli.bench.samples import Expression, Sample
from virst_cli.errors import UsageError
from virst_cli.version import __version__

KEY = 0xBE7C  # says bench, nearly
SENTENCES = 6  # per video, as `virst world` writes them
VIDEOS = 64  # 384 sentences: J&F is then known to about 3 points, a type to about 8


@dataclass(frozen=True)
class WorldSet:
    """`videos` clips of `frames` frames of `size` (width, height) pixels; the same seed gives the same clips."""

    videos: int = VIDEOS
    seed: int = 0
    frames: int = 16
    size: tuple[int, int] = (128, 128)
    name: str = "world"
    archive: str | None = None

    def __post_init__(self) -> None:
        if self.videos < 1 or self.seed < 0:
            raise UsageError("the world needs 1 video at least, and a seed that is not negative")

    def __len__(self) -> int:
        return self.videos

    def facts(self) -> dict[str, Any]:
        """As in `Dataset`. The version of the tool is one of them, for it draws the clips."""
        return {**asdict(self), "size": list(self.size), "virst": __version__}

    def __getitem__(self, index: int) -> Sample:
        from virst_cli.world import make_clip  # what can draw takes as long to import as all the rest

        if not 0 <= index < self.videos:
            raise IndexError(index)
        rng = np.random.default_rng([KEY, self.seed, index, 0, 1])
        clip = make_clip(rng, frames=self.frames, size=self.size, sentences=SENTENCES)
        return Sample(
            video=f"world{index:05d}",
            frame_names=[f"{t:05d}" for t in range(self.frames)],
            frames=list(clip.frames),
            expressions=[
                Expression(str(k), said.text, list(clip.masks(said)), said.type) for k, said in enumerate(clip.sentences)
            ],
            objects=clip.ids,
            size=self.size[::-1],
        )
