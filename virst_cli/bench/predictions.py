"""A folder of masks: FOLDER/VIDEO/EXPRESSION/FRAME.png, where all but 0 is mask.

This is the layout in which the published evaluation writes, and benchmark servers take, predictions.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from virst_cli.bench.mask_file import read_cut
from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import Cut
from virst_cli.bench.parallel import in_order
from virst_cli.bench.samples import Sample
from virst_cli.errors import UsageError, VideoError
from virst_cli.files.shown import shown

NOTE = "run.json"  # what store.py writes beside the masks


class Predictions:
    """Reads masks that are there. Raises `UsageError` if the folder isn't."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"no folder {shown(folder)}: give the one that holds a folder of masks for every video")
        self.missing: list[str] = []
        self.extra: list[str] = []
        self._folder = folder
        self._known = {NOTE}

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `Source`. A damaged mask is a missing one."""
        self.missing.extend(_missing(sample, self._folder))
        self.extra.extend(_extra(sample, self._folder))
        places = [sample.folder(expression) for expression in sample.expressions]
        self._known.update(place.partition("/")[0] for place in places)
        names = ([f"{place}/{name}.png" for place in places] for name in sample.frame_names)
        for masks in in_order(self._read, names):
            self.missing.extend(mask for mask in masks if isinstance(mask, str))
            yield [None if isinstance(mask, str) else mask for mask in masks]

    def note_strangers(self) -> None:
        """Counts as extra what lies beside the videos that were read, once all of the data set have been."""
        self.extra.extend(sorted(path.name for path in self._folder.iterdir() if path.name not in self._known))

    def _read(self, names: Sequence[str]) -> list[Cut | str | None]:
        """The masks of these names; None where there is none, and what is wrong with one that can't be read."""
        found: list[Cut | str | None] = []
        for name in names:
            path = self._folder / name
            try:
                found.append(read_cut(path) if path.is_file() else None)
            except VideoError as error:
                found.append(f"{name}: {error}")
        return found


def is_whole(sample: Sample, place: str, folder: Path) -> bool:
    """Whether the masks of an expression are there for every frame."""
    return all((folder / place / f"{name}.png").is_file() for name in sample.frame_names)


def _missing(sample: Sample, folder: Path) -> Iterator[str]:
    """What is not there, each by the largest name that covers it: a video, an expression or a frame."""
    places = [sample.folder(expression) for expression in sample.expressions]
    if places and not any((folder / place).parent.is_dir() for place in places):
        yield sample.video
        return
    for place in places:
        if not (folder / place).is_dir():
            yield place
            continue
        names = (f"{place}/{name}.png" for name in sample.frame_names)
        yield from (name for name in names if not (folder / name).is_file())


def _extra(sample: Sample, folder: Path) -> Iterator[str]:
    """Files and folders next to the masks that belong to none of its expressions and frames."""
    places = {sample.folder(expression) for expression in sample.expressions}
    wanted = {f"{name}.png" for name in sample.frame_names}
    for parent in sorted({(folder / place).parent for place in places}):
        for path in sorted(parent.iterdir()) if parent.is_dir() else ():
            place = path.relative_to(folder).as_posix()
            if place not in places:
                yield place
            elif path.is_dir():
                yield from sorted(f"{place}/{file.name}" for file in path.iterdir() if file.name not in wanted)
