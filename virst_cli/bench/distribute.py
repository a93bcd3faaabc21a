"""The masks of a data set made by many workers: each video's go into the store, from which scoring then takes them.

So a run on a cluster is scored by the same code as any other, goes on where it was stopped, and gives the same masks. The
workers and this process see the same folders.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from virst_cli.bench.mask_sources import Model, ModelMasks
from virst_cli.bench.mask_store import CachedMasks
from virst_cli.bench.samples import Dataset
from virst_cli.bench.selection import select_videos
from virst_cli.engines import Engine
from virst_cli.errors import VirstError

Work = Callable[[int, Callable[[str, int, int], None]], tuple[int, float]]


@dataclass(frozen=True)
class StoreWorker:
    """What a worker does: asks a model of its own about videos, by number, and keeps the masks. It can be pickled."""

    dataset: Dataset
    open_model: Callable[[str], Model]  # from the name of a device
    store: Path

    def __call__(self, device: str) -> Work:
        """The work on one video, which tells how many frames the model was asked about, and for how many seconds."""
        model = self.open_model(device)

        def work(index: int, report: Callable[[str, int, int], None]) -> tuple[int, float]:
            sample, asked = self.dataset[index], ModelMasks(model)
            with closing(CachedMasks(asked, self.store).masks(sample)) as masks:  # type: ignore[type-var]  # a generator
                for frame, _ in enumerate(masks, start=1):
                    report("frames", frame, len(sample.frame_names))
            return asked.frames, asked.seconds

        return work


def fill(
    filler: StoreWorker,
    engine: Engine,
    *,
    progress: Callable[[int, int], None],
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> float | None:
    """Fills the store with the masks of the chosen videos; returns frames a second of one worker, None if all were there.

    progress: hears how many videos of how many are done. Raises the `VirstError` of a video over which workers died, after
    all others are done.
    """
    chosen = list(select_videos(filler.dataset, limit=limit, shard=shard))
    frames, seconds = 0, 0.0
    lost: list[VirstError] = []
    with closing(engine.map(filler, chosen, lambda *at: None)) as results:
        for done, (index, result) in enumerate(results, start=1):
            if isinstance(result, VirstError):
                lost.append(VirstError(f"{filler.dataset[chosen[index]].video}: {result}"))
            else:
                frames, seconds = frames + result[0], seconds + result[1]
            progress(done, len(chosen))
    if lost:
        raise lost[0]
    return frames / seconds if frames else None
