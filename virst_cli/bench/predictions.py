"""Predictions: a folder of masks as FOLDER/VIDEO/EXPRESSION/FRAME.png, where every pixel but 0 belongs to the mask.

The published evaluation writes predictions in this layout, and benchmark servers take them so.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from virst_cli.bench.mask_png import read_cropped_mask
from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import CroppedMask
from virst_cli.bench.parallel import map_in_order
from virst_cli.bench.samples import Sample
from virst_cli.errors import UsageError, VideoError
from virst_cli.files.shown import shown

RUN_FILE = "run.json"  # the file that a mask store has beside its masks


class Predictions:
    """Reads masks from a folder. Raises `UsageError` if the folder does not exist."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"{shown(folder)} is not a folder; give one that has a folder of masks for every video")
        self.missing: list[str] = []
        self.extra: list[str] = []
        self._folder = folder
        self._known = {RUN_FILE}

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `MaskSource`. A damaged mask counts as a missing one."""
        self.missing.extend(_missing(sample, self._folder))
        self.extra.extend(_extra(sample, self._folder))
        folders = [sample.folder(expression) for expression in sample.expressions]
        self._known.update(folder.partition("/")[0] for folder in folders)
        files = ([f"{folder}/{name}.png" for folder in folders] for name in sample.frame_names)
        for masks in map_in_order(self._read, files):
            self.missing.extend(mask for mask in masks if isinstance(mask, str))
            yield [None if isinstance(mask, str) else mask for mask in masks]

    def list_unknown_entries(self) -> None:
        """Adds to `extra` whatever lies beside the videos' folders; call it after all videos of a data set were read."""
        self.extra.extend(sorted(path.name for path in self._folder.iterdir() if path.name not in self._known))

    def _read(self, files: Sequence[str]) -> list[CroppedMask | str | None]:
        """The masks in these files; None for an absent file, and the reason as text for one that can't be read."""
        masks: list[CroppedMask | str | None] = []
        for name in files:
            path = self._folder / name
            try:
                masks.append(read_cropped_mask(path) if path.is_file() else None)
            except VideoError as error:
                masks.append(f"{name}: {error}")
        return masks


def is_complete(sample: Sample, expression_folder: str, folder: Path) -> bool:
    """Whether `folder` has a mask of an expression for every frame."""
    return all((folder / expression_folder / f"{name}.png").is_file() for name in sample.frame_names)


def _missing(sample: Sample, folder: Path) -> Iterator[str]:
    """What is absent, each by the largest name that covers it: a video, an expression or a frame."""
    expression_folders = [sample.folder(expression) for expression in sample.expressions]
    if expression_folders and not any((folder / name).parent.is_dir() for name in expression_folders):
        yield sample.video
        return
    for expression_folder in expression_folders:
        if not (folder / expression_folder).is_dir():
            yield expression_folder
            continue
        files = (f"{expression_folder}/{name}.png" for name in sample.frame_names)
        yield from (file for file in files if not (folder / file).is_file())


def _extra(sample: Sample, folder: Path) -> Iterator[str]:
    """Files and folders beside a video's masks that belong to none of its expressions and frames."""
    expression_folders = {sample.folder(expression) for expression in sample.expressions}
    expected = {f"{name}.png" for name in sample.frame_names}
    for parent in sorted({(folder / name).parent for name in expression_folders}):
        for path in sorted(parent.iterdir()) if parent.is_dir() else ():
            name = path.relative_to(folder).as_posix()
            if name not in expression_folders:
                yield name
            elif path.is_dir():
                yield from sorted(f"{name}/{file.name}" for file in path.iterdir() if file.name not in expected)
