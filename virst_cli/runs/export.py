"""Rendering masks that exist already: of a run's record, or of PNG files from elsewhere. No model, no torch."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from virst_cli.errors import OutputError, UsageError
from virst_cli.files.atomic import writing
from virst_cli.files.lock import Lock
from virst_cli.files.shown import shown
from virst_cli.outputs.masks_jsonl import RecordRow
from virst_cli.outputs.names import run_folder
from virst_cli.outputs.overlay import OPACITY
from virst_cli.outputs.palette import Colour
from virst_cli.outputs.png_masks import PngMasks
from virst_cli.outputs.record import SEGMENT_AGAIN, Record
from virst_cli.outputs.renderings import Renderings, planned, render
from virst_cli.outputs.request_key import file_identity
from virst_cli.outputs.style import DEFAULT, Style
from virst_cli.video.video import Frame, TruncatedVideo, Video


class RecordRows(Sized, Iterable[RecordRow], Protocol):
    """Masks of a known number of frames."""


@dataclass(frozen=True)
class RenderOptions:
    """How masks are rendered."""

    formats: Sequence[str] = ("overlay",)
    style: Style = DEFAULT
    colours: Sequence[Colour] = ()  # of the first sentences; the others get the usual ones
    opacity: float = OPACITY  # of the fill, 0 to 1
    label: bool = True  # write the sentences on overlays
    audio: bool = True  # overlays carry the sound of the video


@dataclass(frozen=True)
class _Source:
    """The part of a video that has masks."""

    video: Video
    size: tuple[int, int]  # (width, height) in pixels, as displayed
    rate: Fraction  # frames per second
    start: float = 0.0  # seconds
    end: float | None = None  # seconds


def export_run(
    run: Path, options: RenderOptions, *, output: Path | None = None, video: Path | None = None, overwrite: bool = False
) -> list[Path]:
    """Renders a finished run again, and returns the files.

    run: the run folder.
    output: the folder to write to; None for the run folder, where existing renderings are replaced.
    video: where the video is now, if it was moved.
    overwrite: replace existing files in `output`.
    Raises OutputError when the video is gone or is another one, or when files exist that may not be replaced.
    """
    record = Record.open(run)
    try:
        recorded = record.run["video"]
        path = Path(recorded["path"]) if video is None else video
        _require_same(recorded, path, moved=video is not None)
        size, rate = (record.size[1], record.size[0]), Fraction(recorded["rate"])
        start, end = recorded["start"], recorded["end"]
    except (KeyError, TypeError, ValueError):
        raise OutputError(f"{shown(run)}: run.json does not say which video was segmented; {SEGMENT_AGAIN}") from None
    source = _Source(Video.open(path), size, rate, start, end)
    return _export(source, record, record.sentences, options, output or run, replace=overwrite or output is None)


def export_masks(
    video: Path, masks: Path, options: RenderOptions, *, output: Path = Path(), overwrite: bool = False
) -> list[Path]:
    """Renders PNG masks from elsewhere on a video, into `<video>.virst`, and returns the files.

    masks: a folder with one PNG per frame, or with one such folder per object.
    output: the folder in which the run folder is created.
    overwrite: replace existing files.
    Raises OutputError unless there is one mask per frame, or when files exist that may not be replaced.
    """
    opened = Video.open(video)
    info, rows = opened.info, PngMasks(masks)
    if info.frames is not None and info.frames != len(rows):
        raise OutputError(
            f"{shown(video)} has {info.frames} frames, but {shown(masks)} holds {len(rows)} masks; one mask per frame is needed"
        )
    source = _Source(opened, (info.width, info.height), info.rate)
    return _export(source, rows, rows.names, options, run_folder(video, output), replace=overwrite)


def _export(
    source: _Source, rows: RecordRows, names: Sequence[str], options: RenderOptions, folder: Path, *, replace: bool
) -> list[Path]:
    existing = [path for path in planned(folder, names, options.formats) if path.exists()]
    if existing and not replace:
        raise OutputError(f"{shown(existing[0])} exists already; use --overwrite to replace it, or -o for another folder")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    renderings = Renderings(
        folder,
        names,
        formats=options.formats,
        size=source.size,
        rate=source.rate,
        style=options.style,
        chosen=options.colours,
        opacity=options.opacity,
        label=options.label,
        audio=source.video.audio(source.start, source.end) if options.audio else None,
        start=source.start,
    )
    with Lock(folder), renderings, closing(source.video.frames(source.start, source.end)) as frames:
        render(rows, frames, renderings)
        if _has_more(frames):
            raise OutputError(
                f"{shown(source.video.path)} has more than the {len(rows)} frames that have masks; is it the same video?"
            )
        return renderings.close()


def _has_more(frames: Iterator[Frame]) -> bool:
    """Whether another frame follows. A video that is truncated here was truncated here for the masks, too."""
    try:
        return next(frames, None) is not None
    except TruncatedVideo:
        return False


def _require_same(recorded: dict[str, int | str], path: Path, *, moved: bool) -> None:
    """Raises OutputError unless the file is the one that was segmented, as far as its size and modification time tell."""
    if not path.exists():
        raise OutputError(f"{shown(path)}: the video of this run is gone; if it was moved, use --video FILE")
    now = file_identity(path)
    if now["bytes"] != recorded["bytes"]:
        raise OutputError(
            f"{shown(path)} is another video: it has {now['bytes']} bytes, the video of this run {recorded['bytes']}"
        )
    if not moved and now["mtime_ns"] != recorded["mtime_ns"]:
        raise UsageError(f"{shown(path)} has changed since the run; segment it again, or confirm it with --video {shown(path)}")
