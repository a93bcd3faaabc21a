"""Scores masks that something else has made: FOLDER/VIDEO/EXPRESSION/FRAME.png, where all but 0 is mask.

This is the layout in which the published evaluation writes, and benchmark servers take, predictions.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from virst_cli.bench.course import Progress, choose, told
from virst_cli.bench.metrics import Mask
from virst_cli.bench.report import Report
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.bench.scores import Row, score
from virst_cli.errors import UsageError
from virst_cli.memory import peak_bytes
from virst_cli.video.folder import pictures
from virst_cli.video.source import shown


def score_predictions(
    dataset: Dataset,
    folder: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Report:
    """Scores the masks below `folder`; the videos are chosen as in `run`. What is missing counts as 0 and is listed.

    Raises `UsageError` if there is no such folder, or a mask is damaged or not as large as the true one.
    """
    if not folder.is_dir():
        raise UsageError(f"no folder {shown(folder)}: give the one that holds a folder of masks for every video")
    chosen = choose(dataset, limit=limit, shard=shard)
    rows: list[Row] = []
    missing: list[str] = []
    for done, index in enumerate(chosen):
        sample = dataset[index]
        missing.extend(_missing(sample, folder))
        rows.extend(score(sample, told(_masks(sample, folder), progress, sample, done, len(chosen))))
    return Report(
        dataset=dataset.name,
        model=None,
        rows=rows,
        missing=missing,
        videos=len(chosen),
        fps=None,
        peak_memory=peak_bytes(),
    )


def _missing(sample: Sample, folder: Path) -> Iterator[str]:
    """What is not there, each by the largest name that covers it: a video, an expression or a frame."""
    if not (folder / sample.video).is_dir():
        yield sample.video
        return
    for expression in sample.expressions:
        masks = f"{sample.video}/{expression.id}"
        if not (folder / masks).is_dir():
            yield masks
            continue
        names = (f"{masks}/{name}.png" for name in sample.frame_names)
        yield from (name for name in names if not (folder / name).is_file())


def _masks(sample: Sample, folder: Path) -> Iterator[Sequence[Mask | None]]:
    """Per frame the masks of all expressions."""
    folders = [folder / sample.video / expression.id for expression in sample.expressions]
    for name in sample.frame_names:
        yield [_mask(masks / f"{name}.png") for masks in folders]


def _mask(path: Path) -> Mask | None:
    if not path.is_file():
        return None
    (picture,) = pictures([path])  # as RGB: whatever the PNG's mode was, a pixel that isn't black is mask
    mask: Mask = np.asarray(picture).max(axis=2) > 0
    return mask
