"""The best, median and worst answers of a run as small pictures, collected while its masks pass.

Which answer is the median is known only at the end, when the masks are gone. So three frames of every video are kept as
thumbnails, with each sentence's masks at their size, until its scores show whether it can still be chosen: only the few best and
worst so far, and those around the median so far, are kept. Pictures are drawn at the end, for the chosen ones.
"""

import io
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import CroppedMask, Mask
from virst_cli.bench.samples import Hidden, Sample
from virst_cli.bench.scores import ExpressionScore
from virst_cli.errors import VideoError
from virst_cli.outputs import rle
from virst_cli.outputs.overlay import Overlay
from virst_cli.outputs.palette import OKABE_ITO
from virst_cli.outputs.rle import Rle

FEW = 3  # examples of a kind
AROUND = 30  # examples that are kept around the median so far, which moves
MOMENTS = (1 / 6, 1 / 2, 5 / 6)  # of a video; its first and last frames are often empty
WIDTH, HEIGHT = 400, 300  # pixels that a picture fits in; enough for the sharp screen of a phone
THUMBNAIL_QUALITY, PICTURE_QUALITY = 92, 82  # of JPEGs
COLOUR, BRIGHTNESS = 0.5, 0.85  # the share of a frame's that is left, so that the tints on it stand out
OPACITY = 0.6  # of the tints
ANSWER, TRUTH = OKABE_ITO["sky-blue"], OKABE_ITO["orange"]


@dataclass(frozen=True)
class Shot:
    """A frame of an example.

    frame: its name.
    thumbnail: the frame as a JPEG.
    answer, truth: masks at the thumbnail's size; None where the answer is missing or the object is not visible.
    """

    frame: str
    thumbnail: bytes
    answer: Rle | None
    truth: Rle | None

    def pictures(self) -> tuple[bytes, bytes]:
        """Two JPEGs: the frame with the answer, and the frame with the truth."""
        with Image.open(io.BytesIO(self.thumbnail)) as picture:
            rgb = np.asarray(ImageEnhance.Brightness(ImageEnhance.Color(picture).enhance(COLOUR)).enhance(BRIGHTNESS))
        size = rgb.shape[1], rgb.shape[0]
        drawn = []
        for code, colour in ((self.answer, ANSWER), (self.truth, TRUTH)):
            masks = [] if code is None else [rle.decode(code)]
            overlay = Overlay(size, [""] * len(masks), [colour] * len(masks), opacity=OPACITY, label=False)
            drawn.append(_jpeg(Image.fromarray(overlay.paint(rgb, masks)), PICTURE_QUALITY))
        return drawn[0], drawn[1]


@dataclass(frozen=True, eq=False)
class Example:
    """A sentence with its score and some frames."""

    text: str
    score: ExpressionScore
    shots: Sequence[Shot]

    @property
    def shows_object(self) -> bool:
        """Whether an object is visible in a shot; a correct empty answer would be a dull picture."""
        return any(shot.truth is not None and rle.decode(shot.truth).any() for shot in self.shots)


class Examples:
    """Collects examples from the masks of one video after another; memory does not grow with their number."""

    def __init__(self) -> None:
        self._kept: list[Example] = []
        self._percents: list[float] = []  # J&F x 100 of all sentences so far, sorted
        self._shots: dict[str, list[Shot]] = {}  # of the current video, by expression

    def observe(self, sample: Sample, masks_by_frame: Iterable[FrameMasks]) -> Iterator[FrameMasks]:
        """Gives the same masks. `finish_video` has to follow, with their scores."""
        self._shots = {expression.id: [] for expression in sample.expressions if not isinstance(expression.truth, Hidden)}
        wanted = {int(moment * len(sample.frame_names)) for moment in MOMENTS}
        for frame, masks in enumerate(masks_by_frame):
            if frame in wanted and not sample.missing:
                self._add_shots(sample, frame, masks)
            yield masks

    def finish_video(self, sample: Sample, scores: Iterable[ExpressionScore]) -> None:
        """Keeps those sentences of the video that can still be chosen at the end."""
        texts = {expression.id: expression.text for expression in sample.expressions}
        for score in scores:
            example = Example(texts[score.expression], score, self._shots.get(score.expression, ()))
            insort(self._percents, score.percent)
            if example.shots:
                self._kept.append(example)
        self._shots = {}
        best, worst, around = self._ranked()
        self._kept = list(dict.fromkeys((*best[:FEW], *worst[:FEW], *around[:AROUND])))

    def chosen(self) -> dict[str, list[Example]]:
        """The chosen examples by kind, none twice, the best first: at most `FEW` of a kind, and fewer in a short run."""
        few = min(FEW, max(1, len(self._kept) // 3))
        best, worst, around = self._ranked()
        best = best[:few]
        worst = [example for example in worst if example not in best][:few]
        around = [example for example in around if example not in (*best, *worst)][:few]
        groups = {"best": best, "around the median": around, "worst": worst}
        return {name: sorted(group, key=lambda example: -example.score.percent) for name, group in groups.items() if group}

    def _ranked(self) -> tuple[list[Example], list[Example], list[Example]]:
        """The kept examples in three orders: best first, worst first, nearest to the median first."""
        median = self._percents[len(self._percents) // 2] if self._percents else 0.0
        best = sorted(self._kept, key=lambda example: (not example.shows_object, -example.score.percent))
        worst = sorted(self._kept, key=lambda example: example.score.percent)
        around = sorted(self._kept, key=lambda example: abs(example.score.percent - median))
        return _varied(best), _varied(worst), _varied(around)

    def _add_shots(self, sample: Sample, frame: int, masks: FrameMasks) -> None:
        """Adds a shot to every expression; none if the frame can't be read, which the report lists anyway."""
        try:
            picture = Image.fromarray(np.asarray(sample.frames[frame]))
        except VideoError:
            return
        scale = min(WIDTH / picture.width, HEIGHT / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        thumbnail = _jpeg(picture.resize(size, Image.Resampling.LANCZOS), THUMBNAIL_QUALITY)
        for expression, mask in zip(sample.expressions, masks, strict=True):
            if expression.id in self._shots:
                truth = _small(expression.truth[frame], size)
                self._shots[expression.id].append(Shot(sample.frame_names[frame], thumbnail, _small(mask, size), truth))


def _varied(examples: Sequence[Example]) -> list[Example]:
    """The same examples, but first one of each video: sentences about one object often score alike."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.score.video, example)
    return list(dict.fromkeys((*first.values(), *examples)))


def _small(mask: Mask | CroppedMask | None, size: tuple[int, int]) -> Rle | None:
    """The mask scaled to a size (W, H). A pixel is set if a third of it is covered; with half, thin objects would vanish."""
    if mask is None:
        return None
    soft = Image.fromarray(np.asarray(mask) * np.uint8(255)).resize(size, Image.Resampling.BILINEAR)
    return rle.encode(np.asarray(soft) > 85)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()
