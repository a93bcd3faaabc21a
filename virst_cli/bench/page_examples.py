"""The best, median and worst answers of a run as small pictures, collected while its masks go by.

Which answer is the median is known at the end only, and no mask can be held till then. So of every video three frames
are kept as thumbnails, with each sentence's masks at their size, until its scores show whether it may be wanted: the few best
and worst so far, and those around the median so far. Pictures are drawn at the end, of what is left.
"""

import io
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from virst_cli.bench.mask_sources import FrameMasks
from virst_cli.bench.metrics import Cut, Mask
from virst_cli.bench.samples import Hidden, Sample
from virst_cli.bench.scores import ExpressionScore
from virst_cli.errors import VideoError
from virst_cli.outputs import rle
from virst_cli.outputs.overlay import Overlay
from virst_cli.outputs.palette import OKABE_ITO
from virst_cli.outputs.rle import Rle

FEW = 3  # examples of a kind
AROUND = 30  # kept around the median so far, for it moves
MOMENTS = (1 / 6, 1 / 2, 5 / 6)  # of a video, that are shown: its ends are often empty
WIDTH, HEIGHT = 400, 300  # pixels that a picture fits in; half as many on a phone's sharp screen
KEPT, SHOWN = 92, 82  # JPEG quality of thumbnails, and of what is drawn on them
COLOUR, LIGHT = 0.5, 0.85  # so much of a frame's stays: the scene can be read, and what is drawn on it stands out
OPACITY = 0.6  # of the tint
ANSWER, TRUTH = OKABE_ITO["sky-blue"], OKABE_ITO["orange"]


@dataclass(frozen=True)
class Shot:
    """A frame of an example. thumbnail: JPEG; masks at its size, None where the answer or the object is missing."""

    frame: str  # its name
    thumbnail: bytes
    answer: Rle | None
    truth: Rle | None

    def pictures(self) -> tuple[bytes, bytes]:
        """JPEGs of the frame with the answer, and with the truth."""
        with Image.open(io.BytesIO(self.thumbnail)) as picture:
            rgb = np.asarray(ImageEnhance.Brightness(ImageEnhance.Color(picture).enhance(COLOUR)).enhance(LIGHT))
        size = rgb.shape[1], rgb.shape[0]
        drawn = []
        for code, colour in ((self.answer, ANSWER), (self.truth, TRUTH)):
            masks = [] if code is None else [rle.decode(code)]
            overlay = Overlay(size, [""] * len(masks), [colour] * len(masks), opacity=OPACITY, label=False)
            drawn.append(_jpeg(Image.fromarray(overlay.paint(rgb, masks)), SHOWN))
        return drawn[0], drawn[1]


@dataclass(frozen=True, eq=False)
class Example:
    """A sentence, its scores, and what it looks like."""

    text: str
    row: ExpressionScore
    shots: Sequence[Shot]

    @property
    def both(self) -> float:
        """J&F x 100."""
        return 50 * (self.row.j + self.row.f)

    @property
    def seen(self) -> bool:
        """Whether there is something to find in a shot: a sentence rightly answered with nothing is no sight."""
        return any(shot.truth is not None and rle.decode(shot.truth).any() for shot in self.shots)


class Examples:
    """Watches the masks of one video after the other go by; memory does not grow with their number."""

    def __init__(self) -> None:
        self._kept: list[Example] = []
        self._scores: list[float] = []  # of all, in order
        self._shots: dict[str, list[Shot]] = {}  # of the video that goes by, by expression

    def watching(self, sample: Sample, answers: Iterable[FrameMasks]) -> Iterator[FrameMasks]:
        """The same masks. `settle` has to follow, with the scores that they got."""
        self._shots = {said.id: [] for said in sample.expressions if not isinstance(said.truth, Hidden)}
        wanted = {int(moment * len(sample.frame_names)) for moment in MOMENTS}
        for frame, masks in enumerate(answers):
            if frame in wanted and not sample.missing:
                self._look(sample, frame, masks)
            yield masks

    def settle(self, sample: Sample, rows: Iterable[ExpressionScore]) -> None:
        """Keeps what may be wanted of the video that has gone by."""
        texts = {said.id: said.text for said in sample.expressions}
        for row in rows:
            example = Example(texts[row.expression], row, self._shots.get(row.expression, ()))
            insort(self._scores, example.both)
            if example.shots:
                self._kept.append(example)
        self._shots = {}
        best, worst, around = self._ranked()
        self._kept = list(dict.fromkeys((*best[:FEW], *worst[:FEW], *around[:AROUND])))

    def chosen(self) -> dict[str, list[Example]]:
        """Examples by kind, none twice: at most `FEW` each, fewer where a run has few. Best first, worst last."""
        few = min(FEW, max(1, len(self._kept) // 3))
        best, worst, around = self._ranked()
        best = best[:few]
        worst = [example for example in worst if example not in best][:few]
        around = [example for example in around if example not in (*best, *worst)][:few]
        groups = {"best": best, "around the median": around, "worst": worst}
        return {name: sorted(group, key=lambda example: -example.both) for name, group in groups.items() if group}

    def _ranked(self) -> tuple[list[Example], list[Example], list[Example]]:
        """What is kept, in three orders: best first, worst first, nearest to the median first."""
        median = self._scores[len(self._scores) // 2] if self._scores else 0.0
        best = sorted(self._kept, key=lambda example: (not example.seen, -example.both))
        worst = sorted(self._kept, key=lambda example: example.both)
        around = sorted(self._kept, key=lambda example: abs(example.both - median))
        return _varied(best), _varied(worst), _varied(around)

    def _look(self, sample: Sample, frame: int, masks: FrameMasks) -> None:
        """Adds a shot to every expression; none where the frame can't be read, for the run itself says so."""
        try:
            picture = Image.fromarray(np.asarray(sample.frames[frame]))
        except VideoError:
            return
        scale = min(WIDTH / picture.width, HEIGHT / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        thumbnail = _jpeg(picture.resize(size, Image.Resampling.LANCZOS), KEPT)
        for said, mask in zip(sample.expressions, masks, strict=True):
            if said.id in self._shots:
                shot = Shot(sample.frame_names[frame], thumbnail, _small(mask, size), _small(said.truth[frame], size))
                self._shots[said.id].append(shot)


def _varied(examples: Sequence[Example]) -> list[Example]:
    """The same in the same order, but first one of each video: sentences about one object often score alike."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.row.video, example)
    return list(dict.fromkeys((*first.values(), *examples)))


def _small(mask: Mask | Cut | None, size: tuple[int, int]) -> Rle | None:
    """The mask at a size (W, H): a pixel is in it if a third of it is, or what is thin would vanish."""
    if mask is None:
        return None
    soft = Image.fromarray(np.asarray(mask) * np.uint8(255)).resize(size, Image.Resampling.BILINEAR)
    return rle.encode(np.asarray(soft) > 85)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()
