"""Pictures of masks that are there already: of a run's record, or of PNG files from elsewhere. No model, no torch."""

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
from virst_cli.video.probe import probe
from virst_cli.video.read import Frame, TruncatedVideo, read


class RecordRows(Sized, Iterable[RecordRow], Protocol):
    """Masks of a known number of frames."""


@dataclass(frozen=True)
class RenderOptions:
    """How pictures are made. colours: of the first sentences; opacity: of the tint; audio: whether overlays have sound."""

    formats: Sequence[str] = ("overlay",)
    style: Style = DEFAULT
    colours: Sequence[Colour] = ()
    opacity: float = OPACITY
    label: bool = True
    audio: bool = True


@dataclass(frozen=True)
class _Source:
    """A video, or a part of it: size (W, H) as displayed; start, end in seconds."""

    path: Path
    size: tuple[int, int]
    rate: Fraction
    start: float = 0.0
    end: float | None = None


def export_run(
    run: Path, look: RenderOptions, *, output: Path | None = None, video: Path | None = None, overwrite: bool = False
) -> list[Path]:
    """Renders a finished run again: into its own folder, where pictures are replaced, or into `output`.

    video: where the source is now, if it was moved. Raises OutputError when it is gone, or is another one.
    """
    record = Record.open(run)
    try:
        said = record.run["video"]
        path = Path(said["path"]) if video is None else video
        _require_same(said, path, moved=video is not None)
        source = _Source(path, (record.size[1], record.size[0]), Fraction(said["rate"]), said["start"], said["end"])
    except (KeyError, TypeError, ValueError):
        raise OutputError(f"{shown(run)}: run.json does not say which video this is of; {SEGMENT_AGAIN}") from None
    return _export(source, record, record.sentences, look, output or run, replace=overwrite or output is None)


def export_masks(video: Path, masks: Path, look: RenderOptions, *, output: Path = Path(), overwrite: bool = False) -> list[Path]:
    """Renders PNG masks from elsewhere on a video, into `<video>.virst` under `output`. One mask a frame."""
    info = probe(video)
    rows = PngMasks(masks)
    if info.frames is not None and info.frames != len(rows):
        raise OutputError(
            f"{shown(video)} has {info.frames} frames, {shown(masks)} holds {len(rows)} masks; one a frame is needed"
        )
    source = _Source(video, (info.width, info.height), info.rate)
    return _export(source, rows, rows.names, look, run_folder(video, output), replace=overwrite)


def _export(
    source: _Source, rows: RecordRows, names: Sequence[str], look: RenderOptions, folder: Path, *, replace: bool
) -> list[Path]:
    there = [path for path in planned(folder, names, look.formats) if path.exists()]
    if there and not replace:
        raise OutputError(f"{shown(there[0])} exists already; --overwrite replaces it, -o chooses another folder")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    renderings = Renderings(
        folder,
        names,
        formats=look.formats,
        size=source.size,
        rate=source.rate,
        style=look.style,
        chosen=look.colours,
        opacity=look.opacity,
        label=look.label,
        audio=source.path if look.audio else None,
        start=source.start,
        end=source.end,
    )
    with Lock(folder), renderings, closing(read(source.path, start=source.start, end=source.end)) as frames:
        render(rows, frames, renderings)
        if _goes_on(frames):
            raise OutputError(f"{shown(source.path)} has more frames than the {len(rows)} that have masks; is it the same video?")
        return renderings.close()


def _goes_on(frames: Iterator[Frame]) -> bool:
    """Whether there is a frame more. A video that breaks off here broke off here for the masks, too."""
    try:
        return next(frames, None) is not None
    except TruncatedVideo:
        return False


def _require_same(said: dict[str, int | str], path: Path, *, moved: bool) -> None:
    """Raises OutputError unless the file is the one that was segmented, as far as size and time of change tell."""
    if not path.exists():
        raise OutputError(f"{shown(path)}: the video of this run is not there any more; --video FILE says where it is now")
    now = file_identity(path)
    if now["bytes"] != said["bytes"]:
        raise OutputError(f"{shown(path)}: {now['bytes']} bytes, the video of this run had {said['bytes']}; it is another video")
    if not moved and now["mtime_ns"] != said["mtime_ns"]:
        raise UsageError(f"{shown(path)}: changed since the run; segment it again, or confirm it with --video {shown(path)}")
