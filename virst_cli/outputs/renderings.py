"""The pictures of a run, made while segmenting or later from its record: overlay, mask video, PNGs, cutout.

Every one is a sink: it takes the run frame by frame, and its file has its name only once it is whole. With several
sentences each has files of its own, and `all.overlay.mp4` shows them together. An older file is replaced.
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
from numpy.typing import NDArray

from virst_cli.errors import OutputError, UsageError
from virst_cli.files.atomic import writing
from virst_cli.outputs.masks_jsonl import RecordRow
from virst_cli.outputs.names import ALL, slugs
from virst_cli.outputs.overlay import OPACITY, Masks, Overlay, Rgb
from virst_cli.outputs.palette import Colour, colours
from virst_cli.outputs.png import PngFolder
from virst_cli.outputs.style import DEFAULT, Style
from virst_cli.video.audio import AudioTrack
from virst_cli.video.video import Frame
from virst_cli.video.write import VideoWriter

FORMATS = {"overlay": ".overlay.mp4", "mask-video": ".mask.mp4", "png": "", "cutout": ".cutout.mov"}
Image = NDArray[np.uint8]


def parse_formats(texts: Sequence[str]) -> list[str]:
    """The formats in a repeated option of names joined by commas, in FORMATS' order. Raises `UsageError`."""
    names = {name.strip() for text in texts for name in text.lower().split(",") if name.strip()}
    if not names or names - FORMATS.keys():
        raise UsageError(f"--format {','.join(texts)!r}: give one or more of {', '.join(FORMATS)}, joined by commas")
    return [name for name in FORMATS if name in names]


def planned(folder: Path, sentences: Sequence[str], formats: Sequence[str]) -> list[Path]:
    """The files and folders that `Renderings` would write, in its order."""
    return [path for path, _, _ in _plan(folder, sentences, formats)]


def render(rows: Iterable[RecordRow], frames: Iterable[Frame], renderings: "Renderings") -> None:
    """Renders a record, or the part of it that was kept, on the frames of its video. Closing is left to the caller.

    Raises `OutputError` where the two are not of one video.
    """
    pictures = iter(frames)
    for row in rows:
        frame = next(pictures, None)
        if frame is None:
            raise OutputError(f"the video ends after {row.index} frames, the record goes on; is it the same video?")
        if frame.rgb.shape[:2] != row.masks.shape[1:]:
            (height, width), (mask_height, mask_width) = frame.rgb.shape[:2], row.masks.shape[1:]
            raise OutputError(f"the video is {width}x{height}, its masks are {mask_width}x{mask_height}; is it the same video?")
        renderings.write(row.index, frame.time, frame.rgb, row.masks)


class _Writer(Protocol):
    """What VideoWriter and PngFolder have in common."""

    def write(self, image: Image, time: float) -> None:
        """Adds a picture; time: seconds."""


@dataclass(frozen=True)
class _Sink:
    """A file being written, and how a frame becomes its picture."""

    path: Path
    writer: _Writer
    picture: Callable[[Rgb, Masks], Image]


class Renderings:
    """All pictures of one run. Leaving its `with` block with an exception leaves none that is not whole."""

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
        """Opens every file. The caller holds the folder's `Lock`.

        sentences: of the masks, in their order.
        formats: names of FORMATS.
        size: (W, H) of the frames.
        rate: frames per second.
        style, opacity, label: of overlays, see `Overlay`.
        chosen: colours of the first sentences; the others get the usual ones.
        audio: sound that overlays carry; None for none.
        start: seconds; this time of the source becomes 0 in videos.
        """
        self._size = size
        self._sentences = sentences
        self._colours = colours(len(sentences), chosen)
        self._look = partial(Overlay, size, style=style, opacity=opacity, label=label)
        self._video = partial(VideoWriter, rate=rate, start=start)
        self._overlay_video = partial(self._video, size=style.size(*size), audio=audio)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        # a stack, because it closes all, and once one can't be closed the rest are told to leave nothing
        self._open = ExitStack()
        try:
            self._sinks = [self._sink(*planned) for planned in _plan(folder, sentences, formats)]
        except BaseException as error:
            self._open.__exit__(type(error), error, error.__traceback__)
            raise

    def write(self, index: int, time: float, rgb: Rgb, masks: Masks) -> None:
        """Adds a frame to every file. time: seconds; rgb: (H, W, 3) uint8; masks: (n, H, W) bool, one a sentence."""
        width, height = self._size
        if rgb.shape != (height, width, 3) or masks.shape != (len(self._sentences), height, width):
            raise ValueError(f"frame {index}: {rgb.shape} and masks {masks.shape} are not of {width}x{height} pixels")
        for sink in self._sinks:
            sink.writer.write(sink.picture(rgb, masks), time)

    def close(self) -> list[Path]:
        """Gives every file its name. Returns them."""
        self._open.close()
        return [sink.path for sink in self._sinks]

    def __enter__(self) -> "Renderings":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)  # which closes too, if `close` was not called

    def _sink(self, path: Path, kind: str, which: slice) -> _Sink:
        """Opens one file, for the sentences `which`."""
        if kind == "overlay":
            paint = self._look(self._sentences[which], self._colours[which]).paint
            video = self._open.enter_context(self._overlay_video(path))
            return _Sink(path, video, lambda rgb, masks: paint(rgb, masks[which]))
        if kind == "png":
            return _Sink(path, self._open.enter_context(PngFolder(path)), lambda rgb, masks: _mask(masks[which][0]))
        if kind == "mask-video":
            video = self._open.enter_context(self._video(path, size=self._size, pixels="gray"))
            return _Sink(path, video, lambda rgb, masks: _mask(masks[which][0]))
        video = self._open.enter_context(self._video(path, size=self._size, pixels="rgba"))
        return _Sink(path, video, lambda rgb, masks: _cutout(rgb, masks[which][0]))


def _plan(folder: Path, sentences: Sequence[str], formats: Sequence[str]) -> Iterator[tuple[Path, str, slice]]:
    """Each file, its format, and the sentences it shows."""
    names = slugs(sentences)
    for kind in formats:
        for number, name in enumerate(names):
            yield folder / (name + FORMATS[kind]), kind, slice(number, number + 1)
        if kind == "overlay" and len(names) > 1:
            yield folder / (ALL + FORMATS[kind]), kind, slice(None)


def _mask(mask: Masks) -> Image:
    """0 and 255, (H, W)."""
    grey: Image = mask.view(np.uint8) * np.uint8(255)
    return grey


def _cutout(rgb: Rgb, mask: Masks) -> Image:
    """RGBA, (H, W, 4). What is cut away is black, not merely transparent: nobody can bring it back."""
    alpha = _mask(mask)
    return np.dstack([rgb & alpha[..., None], alpha])
