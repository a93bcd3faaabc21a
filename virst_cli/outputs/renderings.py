"""Writes the renderings of a run: overlays, mask videos, PNG files and cutouts.

They are written frame by frame, during the run or later from its record, and a file gets its name only once it is complete. With
several sentences, each has its own files, and `all.overlay.mp4` shows all of them. Older files are replaced.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from virst_cli.errors import OutputError, UsageError
from virst_cli.files.atomic import writing
from virst_cli.outputs.arrays import Mask, Masks, Picture, Rgb
from virst_cli.outputs.masks_jsonl import RecordRow
from virst_cli.outputs.names import ALL, slugs
from virst_cli.outputs.overlay import OPACITY, Overlay
from virst_cli.outputs.palette import Colour, colours
from virst_cli.outputs.png import PngFolder
from virst_cli.outputs.style import DEFAULT, Style
from virst_cli.video.audio import AudioTrack
from virst_cli.video.video import Frame
from virst_cli.video.write import VideoWriter

FORMATS = {"overlay": ".overlay.mp4", "mask-video": ".mask.mp4", "png": "", "cutout": ".cutout.mov"}


def parse_formats(texts: Sequence[str]) -> list[str]:
    """The formats that a repeated option names, in the order of FORMATS. Raises `UsageError` if there is none, or an unknown one.

    texts: each one or more names, joined by commas.
    """
    names = {name.strip() for text in texts for name in text.lower().split(",") if name.strip()}
    if not names or names - FORMATS.keys():
        raise UsageError(f"--format {','.join(texts)!r} is not valid; give one or more of {', '.join(FORMATS)}, joined by commas")
    return [name for name in FORMATS if name in names]


def planned(folder: Path, sentences: Sequence[str], formats: Sequence[str]) -> list[Path]:
    """The files and folders that `Renderings` writes, in the same order."""
    return [path for path, _, _ in _plan(folder, sentences, formats)]


def render(rows: Iterable[RecordRow], frames: Iterable[Frame], renderings: "Renderings") -> None:
    """Writes the renderings of rows that are already in a record. The caller closes `renderings`.

    rows: of a record, or of the part of it that is kept.
    frames: of its video, from the first one on.

    Raises `OutputError` if the frames are not those of the record's video.
    """
    pictures = iter(frames)
    for row in rows:
        frame = next(pictures, None)
        if frame is None:
            raise OutputError(f"the video ends after {row.index} frames, but the record has more; is it the same video?")
        if frame.rgb.shape[:2] != row.masks.shape[1:]:
            (height, width), (mask_height, mask_width) = frame.rgb.shape[:2], row.masks.shape[1:]
            sizes = f"the video is {width}x{height}, but the masks are {mask_width}x{mask_height}"
            raise OutputError(f"{sizes}; is it the same video?")
        renderings.write(row.index, frame.time, frame.rgb, row.masks)


class _Writer(Protocol):
    """Writes pictures; implemented by `VideoWriter` and `PngFolder`."""

    def write(self, image: Picture, time: float) -> None:
        """Adds a picture. time: in seconds."""


@dataclass(frozen=True)
class _Sink:
    """A file that is being written.

    picture: makes the picture of a frame from the frame and its masks.
    """

    path: Path
    writer: _Writer
    picture: Callable[[Rgb, Masks], Picture]


class Renderings:
    """Writes all renderings of a run. An exception in its `with` block leaves older files and no incomplete ones."""

    def __init__(
        self,
        folder: Path,
        sentences: Sequence[str],
        *,
        formats: Sequence[str],
        size: tuple[int, int],
        rate: Fraction,
        style: Style = DEFAULT,
        chosen: Sequence[Colour] = (),
        opacity: float = OPACITY,
        label: bool = True,
        audio: AudioTrack | None = None,
        start: float = 0.0,
    ) -> None:
        """Opens all files. The caller holds the folder's `Lock`.

        folder: the folder for the files, which is created.
        sentences: in the order of the masks.
        formats: names from FORMATS.
        size: (W, H) of the frames.
        rate: of the frames, per second.
        style, opacity, label: of the overlays; see `Overlay`.
        chosen: colours of the first sentences; the others get colours of the palette.
        audio: sound for the overlays; None for none.
        start: seconds; this time of the source becomes 0 in videos.

        Raises `OutputError` or `DiskFull` if a file can't be written.
        """
        self._size = size
        self._sentences = sentences
        self._colours = colours(len(sentences), chosen)
        self._new_overlay = partial(Overlay, size, style=style, opacity=opacity, label=label)
        self._new_video = partial(VideoWriter, rate=rate, start=start)
        self._new_overlay_video = partial(self._new_video, size=style.size(*size), audio=audio)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        # an ExitStack closes all files, and if one can't be closed, the others delete theirs
        self._open = ExitStack()
        try:
            self._sinks = [self._sink(*file) for file in _plan(folder, sentences, formats)]
        except BaseException as error:
            self._open.__exit__(type(error), error, error.__traceback__)
            raise

    def write(self, index: int, time: float, rgb: Rgb, masks: Masks) -> None:
        """Adds a frame to all files. Raises `ValueError` if its arrays do not fit the run.

        index: of the frame, for messages.
        time: in seconds.
        rgb: (H, W, 3) uint8.
        masks: (n, H, W) bool, one per sentence.
        """
        width, height = self._size
        if rgb.shape != (height, width, 3) or masks.shape != (len(self._sentences), height, width):
            raise ValueError(f"frame {index}: shapes {rgb.shape} and {masks.shape} do not fit {width}x{height} pixels")
        for sink in self._sinks:
            sink.writer.write(sink.picture(rgb, masks), time)

    def close(self) -> list[Path]:
        """Completes all files, gives them their names, and returns them."""
        self._open.close()
        return [sink.path for sink in self._sinks]

    def __enter__(self) -> "Renderings":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)  # closes the files if `close` was not called

    def _sink(self, path: Path, kind: str, which: slice) -> _Sink:
        """Opens one file.

        path: its final path.
        kind: its format, from FORMATS.
        which: the sentences that it shows.
        """
        if kind == "overlay":
            paint = self._new_overlay(self._sentences[which], self._colours[which]).paint
            video = self._open.enter_context(self._new_overlay_video(path))
            return _Sink(path, video, lambda rgb, masks: paint(rgb, masks[which]))
        if kind == "png":
            return _Sink(path, self._open.enter_context(PngFolder(path)), lambda rgb, masks: _mask(masks[which][0]))
        if kind == "mask-video":
            video = self._open.enter_context(self._new_video(path, size=self._size, pixels="gray"))
            return _Sink(path, video, lambda rgb, masks: _mask(masks[which][0]))
        video = self._open.enter_context(self._new_video(path, size=self._size, pixels="rgba"))
        return _Sink(path, video, lambda rgb, masks: _cutout(rgb, masks[which][0]))


def _plan(folder: Path, sentences: Sequence[str], formats: Sequence[str]) -> Iterator[tuple[Path, str, slice]]:
    """Yields the path of each file, its format, and the sentences that it shows."""
    names = slugs(sentences)
    for kind in formats:
        for number, name in enumerate(names):
            yield folder / (name + FORMATS[kind]), kind, slice(number, number + 1)
        if kind == "overlay" and len(names) > 1:
            yield folder / (ALL + FORMATS[kind]), kind, slice(None)


def _mask(mask: Mask) -> Picture:
    """A mask as a grey picture, (H, W), of 0 and 255."""
    grey: Picture = mask.view(np.uint8) * np.uint8(255)
    return grey


def _cutout(rgb: Rgb, mask: Mask) -> Picture:
    """The cutout of an object, RGBA, (H, W, 4). The rest is black and not only transparent, so it can't be recovered."""
    alpha = _mask(mask)
    return np.dstack([rgb & alpha[..., None], alpha])
