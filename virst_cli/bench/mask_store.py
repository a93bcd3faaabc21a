"""A folder that a model fills with masks, in the layout of predictions.py, and from which a later run goes on.

    FOLDER/run.json                       whose masks these are: data set, model, settings
    FOLDER/VIDEO/EXPRESSION/FRAME.png     0 and 255, single channel, at the size of the video

An expression's folder takes its name when its last frame is in, so it is whole or it is not there. Masks of another data
set, model or setting are never used. Several processes may fill one folder, each with its own videos (--shard).
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from virst_cli.bench.mask_sources import FrameMasks, MaskSource
from virst_cli.bench.metrics import Cut, Mask
from virst_cli.bench.predictions import NOTE, Predictions, is_whole
from virst_cli.bench.samples import Dataset, Sample
from virst_cli.errors import OutputError
from virst_cli.files.atomic import partial, remove, replace_folder, write_text, writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs.request_key import run_json

SCHEMA_VERSION = 1
NAMED = 3  # of what has changed


def open_store(folder: Path, dataset: Dataset, made_by: Mapping[str, Any], *, resume: bool = True) -> Path:
    """The folder, made or found fit for masks of the data set. made_by: `model` and `settings`, what else decides about them.

    resume: masks that are there and agree in all of that are kept; otherwise they are deleted. Frames may change (a missing
    one is found) as long as their video has no masks yet. Raises `OutputError` for a folder with anything else in it.
    """
    asked = json.loads(json.dumps({"schema_version": SCHEMA_VERSION, "dataset": dataset.facts(), **made_by}))
    with writing(folder):
        with suppress(OSError):
            folder.rmdir()  # an empty one is as good as none
        if folder.exists() and not resume:
            _note(folder)  # nothing is deleted that isn't ours
            remove(folder)
        if not folder.exists():
            _make(folder, run_json(asked))
    there = _note(folder)
    other = [name for name in asked if _lasting(there.get(name)) != _lasting(asked[name])]
    if not other:
        other = [f"state of {video}" for video in _outdated(folder, dataset, there, asked)]
    if other:
        what = " and ".join(other[:NAMED])
        advice = "choose another folder with --output, or replace them with --overwrite"
        raise OutputError(f"{shown(folder)} holds masks of another {what}; {advice}")
    if there != asked:
        with writing(folder):
            write_text(folder / NOTE, run_json(asked))
    return folder


class CachedMasks:
    """Gives the masks that are in the folder, and asks `source` for the others and keeps them."""

    def __init__(self, source: MaskSource, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._stored = Predictions(folder)

    @property
    def missing(self) -> list[str]:
        """As in `Source`."""
        return [*self._source.missing, *self._stored.missing]

    @property
    def extra(self) -> list[str]:
        """None: what else lies in our own folder is what an interrupted run left."""
        return []

    def masks(self, sample: Sample) -> Iterator[FrameMasks]:
        """As in `Source`. Raises `OutputError` where another process fills in the same video."""
        places = [sample.folder(expression) for expression in sample.expressions]
        if all(is_whole(sample, place, self._folder) for place in places):
            yield from self._stored.masks(sample)
            return
        here = (self._folder / places[0]).parent
        with writing(here):
            here.mkdir(parents=True, exist_ok=True)
        with Lock(here):
            there = [is_whole(sample, place, self._folder) for place in places]
            old = self._stored.masks(_part(sample, [i for i, done in enumerate(there) if done]))
            new = self._made(_part(sample, [i for i, done in enumerate(there) if not done]))
            for stored, made in zip(old, new, strict=True):
                from_stored, from_made = iter(stored), iter(made)
                yield [next(from_stored if done else from_made) for done in there]

    def _made(self, sample: Sample) -> Iterator[FrameMasks]:
        """The source's masks, which are in place once the last one has been given."""
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
    """Takes the masks of one expression. It leaves nothing unless it got one for every frame."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._partial = folder, partial(folder)
        self._whole = True
        with writing(folder):
            remove(self._partial)  # of a run that was killed
            self._partial.mkdir(parents=True)

    def write(self, name: str, mask: Mask | Cut | None) -> None:
        """Adds the mask (H, W) of the frame of that name."""
        self._whole = self._whole and mask is not None
        if mask is not None and self._whole:
            with writing(self._folder):
                write_mask(self._partial / f"{name}.png", np.asarray(mask))

    def __enter__(self) -> "_MaskFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._whole:
            with writing(self._folder):
                replace_folder(self._partial, self._folder)
        else:
            remove(self._partial)


def write_mask(file: Path | BinaryIO, mask: Mask) -> None:
    """A mask (H, W) as a PNG of one channel, 0 and 255."""
    # level 1: masks shrink to almost nothing anyway, and it is four times as fast as the default
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, format="PNG", compress_level=1)


def _part(sample: Sample, expressions: list[int]) -> Sample:
    return replace(sample, expressions=[sample.expressions[i] for i in expressions])


def _make(folder: Path, note: str) -> None:
    """Makes the folder with its note in it, in one step; where another process is faster, its folder stands."""
    new = partial(folder.with_name(f"{folder.name}.{os.getpid()}"))
    remove(new)
    new.mkdir(parents=True)
    write_text(new / NOTE, note)
    try:
        new.rename(folder)
    except OSError:
        remove(new)
        if not folder.is_dir():
            raise


def _note(folder: Path) -> dict[str, Any]:
    """What the folder says about itself."""
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        note = None
    except (OSError, ValueError) as error:
        raise OutputError(f"{shown(folder / NOTE)}: can't be read ({error}); choose another folder with --output") from None
    if not isinstance(note, dict) or "dataset" not in note:
        raise OutputError(f"{shown(folder)} holds something else than a benchmark's masks; choose another folder with --output")
    return note


def _lasting(facts: Any) -> Any:
    """Facts without the state of frames."""
    return {name: value for name, value in facts.items() if name != "pictures"} if isinstance(facts, dict) else facts


def _outdated(folder: Path, dataset: Dataset, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Videos whose frames have changed since their masks were made."""
    old, new = (facts["dataset"].get("pictures", {}) for facts in (before, now))
    changed = {video for video in new if old.get(video) != new[video]}
    samples = (dataset[index] for index in range(len(dataset))) if changed else ()
    return [
        sample.video
        for sample in samples
        if sample.video in changed and any((folder / sample.folder(said)).is_dir() for said in sample.expressions)
    ]
