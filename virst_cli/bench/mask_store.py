"""A mask store: a folder that a model fills with masks, so that a later run continues where an earlier one stopped.

    FOLDER/run.json                       whose masks these are: data set, model, settings
    FOLDER/VIDEO/EXPRESSION/FRAME.png     0 and 255, single channel, at the size of the video (the layout of predictions.py)

An expression's folder takes its name once its last frame is in it, so it is either complete or absent. Masks of another data set,
model or setting are never used. Several processes may fill one folder, each with its own videos (--shard, --engine).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from PIL import Image

from virst_cli.bench.mask_sources import FrameMasks, MaskSource
from virst_cli.bench.metrics import CroppedMask, Mask
from virst_cli.bench.predictions import RUN_FILE, Predictions, is_complete
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.errors import OutputError
from virst_cli.files.atomic import partial, remove, replace_folder, write_text, writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs.request_key import run_json

SCHEMA_VERSION = 1
LISTED = 3  # differences that a message names


def open_store(folder: Path, dataset: Dataset, made_by: Mapping[str, Any], *, resume: bool = True) -> Path:
    """Makes the folder, or checks that the masks in it belong to the same run.

    folder: the store; it is returned.
    dataset: whose videos and sentences the masks are for. A video's frames may change as long as it has no masks yet.
    made_by: `model` and `settings`, on which the masks depend, too.
    resume: keep the masks that are there; otherwise they are deleted.

    Raises `OutputError` for masks of another run, and for a folder with anything else in it.
    """
    wanted = json.loads(json.dumps({"schema_version": SCHEMA_VERSION, "dataset": dataset.facts(), **made_by}))
    if not resume:
        remove_store(folder)
    with writing(folder):
        with suppress(OSError):
            folder.rmdir()  # an empty folder is treated as an absent one
        if not folder.exists():
            _make(folder, run_json(wanted))
    stored = read_run(folder)
    differences = [
        _difference(name, stored.get(name), wanted[name]) for name in wanted if _differs(stored.get(name), wanted[name])
    ]
    if not differences:
        differences = [f"of other frames of {video}" for video in _outdated(folder, dataset, stored, wanted)]
    if differences:
        advice = "choose another folder with --output, or replace them with --overwrite"
        raise OutputError(f"{shown(folder)} holds masks {' and '.join(differences[:LISTED])}; {advice}")
    if stored != wanted:
        with writing(folder):
            write_text(folder / RUN_FILE, run_json(wanted))
    return folder


def prepare_store(folder: Path, dataset: Dataset, *, resume: bool = True) -> None:
    """Does once what workers must not do at the same time, before each of them calls `open_store`.

    Deletes the masks that are not to be resumed, and brings the record of a store up to date with the data set's frames.
    Raises `OutputError` for a store of another data set, and for a folder with anything else in it.
    """
    if not resume:
        remove_store(folder)
    elif folder.is_dir() and any(folder.iterdir()):
        stored = read_run(folder)
        open_store(folder, dataset, {name: stored[name] for name in ("model", "settings") if name in stored})


def remove_store(folder: Path) -> None:
    """Deletes a store, if it is there. Raises `OutputError` for a folder with anything else in it, which stays."""
    with writing(folder):
        with suppress(OSError):
            folder.rmdir()
        if folder.exists():
            read_run(folder)
            remove(folder)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of a store's run.json. Raises `OutputError` for a folder that is not a store."""
    try:
        run = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        run = None
    except (OSError, ValueError) as error:
        raise OutputError(f"{shown(folder / RUN_FILE)} can't be read ({error}); choose another folder with --output") from None
    if not isinstance(run, dict) or "dataset" not in run:
        raise OutputError(f"{shown(folder)} does not hold the masks of a benchmark; choose another folder with --output")
    return run


class CachedMasks:
    """Gives the masks that are in the folder; asks `source` for the others, and stores them."""

    def __init__(self, source: MaskSource, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._stored = Predictions(folder)

    @property
    def missing(self) -> list[str]:
        """As in `MaskSource`."""
        return [*self._source.missing, *self._stored.missing]

    @property
    def extra(self) -> list[str]:
        """Always empty: any other file in our own folder was left by an interrupted run."""
        return []

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `MaskSource`. Raises `OutputError` where another process is filling in the same video."""
        folders = [sample.folder(expression) for expression in sample.expressions]
        if all(is_complete(sample, name, self._folder) for name in folders):
            yield from self._stored.masks(sample)
            return
        video_folder = (self._folder / folders[0]).parent
        with writing(video_folder):
            video_folder.mkdir(parents=True, exist_ok=True)
        with Lock(video_folder):
            complete = [is_complete(sample, name, self._folder) for name in folders]
            stored = self._stored.masks(_only(sample, [i for i, there in enumerate(complete) if there]))
            made = self._made(_only(sample, [i for i, there in enumerate(complete) if not there]))
            for stored_masks, made_masks in zip(stored, made, strict=True):
                from_stored, from_made = iter(stored_masks), iter(made_masks)
                yield [next(from_stored if there else from_made) for there in complete]

    def _made(self, sample: Sample) -> Iterator[FrameMasks]:
        """The source's masks, which are in the store once the last frame has been given."""
        if not sample.expressions:
            yield from ([] for _ in sample.frame_names)
            return
        with ExitStack() as stack:
            folders = [stack.enter_context(_MaskFolder(self._folder / sample.folder(e))) for e in sample.expressions]
            for name, masks in zip(sample.frame_names, self._source.masks(sample), strict=True):
                for folder, mask in zip(folders, masks, strict=True):
                    folder.write(name, mask)
                yield masks


class _MaskFolder:
    """Takes the masks of one expression, and leaves nothing unless it got one for every frame."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._partial = folder, partial(folder)
        self._complete = True
        with writing(folder):
            remove(self._partial)  # left by a run that was killed
            self._partial.mkdir(parents=True)

    def write(self, name: str, mask: Mask | CroppedMask | None) -> None:
        """Adds the mask (H, W) of the frame called `name`; None says that there is none."""
        self._complete = self._complete and mask is not None
        if mask is not None and self._complete:
            with writing(self._folder):
                write_mask(self._partial / f"{name}.png", np.asarray(mask))

    def __enter__(self) -> "_MaskFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._complete:
            with writing(self._folder):
                replace_folder(self._partial, self._folder)
        else:
            remove(self._partial)


def write_mask(file: Path | BinaryIO, mask: Mask) -> None:
    """Writes a mask (H, W) as a PNG of one channel, 0 and 255."""
    # level 1: masks shrink to almost nothing anyway, and it is four times as fast as the default
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, format="PNG", compress_level=1)


def _only(sample: Sample, expressions: list[int]) -> Sample:
    """The sample with only some of its expressions, chosen by their positions."""
    return replace(sample, expressions=[sample.expressions[i] for i in expressions])


def _make(folder: Path, run: str) -> None:
    """Makes the folder with its run.json in one step. If another process is faster, its folder stays."""
    new = partial(folder.with_name(f"{folder.name}.{uuid4().hex}"))  # unique on all machines that share the disk
    new.mkdir(parents=True)
    write_text(new / RUN_FILE, run)
    try:
        new.rename(folder)
    except OSError:
        remove(new)
        if not folder.is_dir():
            raise


def _differs(stored: Any, wanted: Any) -> bool:
    """Whether two entries of run.json disagree in more than the state of frames, which `_outdated` compares."""
    return bool(_without_frames(stored) != _without_frames(wanted))


def _without_frames(entry: Any) -> Any:
    return {name: value for name, value in entry.items() if name != "pictures"} if isinstance(entry, dict) else entry


def _difference(name: str, stored: Any, wanted: Any) -> str:
    """What a message says about an entry of run.json that differs."""
    if name != "settings":
        return f"of another {name.replace('_', ' ').replace('dataset', 'data set')}"
    if not (isinstance(stored, dict) and isinstance(wanted, dict)):
        return "made with other settings"
    changed = [f"{key} {stored.get(key)}, not {value}" for key, value in wanted.items() if stored.get(key) != value]
    return f"made with other settings ({', '.join(changed)})"


def _outdated(folder: Path, dataset: Dataset, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Videos whose frames have changed since their masks were made."""
    before, now = (run["dataset"].get("pictures", {}) for run in (stored, wanted))
    changed = {video for video in now if before.get(video) != now[video]}
    samples = (dataset[index] for index in range(len(dataset))) if changed else ()
    return [
        sample.video
        for sample in samples
        if sample.video in changed and any((folder / sample.folder(expression)).is_dir() for expression in sample.expressions)
    ]
