"""What is to be segmented, checked before anything heavy is imported: the video opens, the sentences can be asked, the
model is here.

Every mistake that a user can make shows up here, in a second and before a weight is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.find import find_model
from virst_cli.checkpoints.manifest import weight_sums
from virst_cli.errors import UsageError, VideoError
from virst_cli.files.shown import shown
from virst_cli.model.prompt import PromptBuilder
from virst_cli.outputs.names import run_folder
from virst_cli.outputs.record import MASKS_FILE, RUN_FILE
from virst_cli.outputs.renderings import parse_formats, planned
from virst_cli.outputs.request_key import file_identity
from virst_cli.video.video import Video, VideoInfo


@dataclass(frozen=True)
class Request:
    """What was asked, as it was typed.

    start, end: seconds; chunk: frames that share anchors, None: as many as suit the model; formats: of the renderings;
    max_memory: bytes, which decide nothing about the masks; folder: of the run, by default named after the video.
    """

    video: Path
    sentences: Sequence[str]
    output: Path = Path()
    formats: Sequence[str] = ("overlay",)
    model: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    chunk: int | None = None
    faithful: bool = False
    max_memory: int | None = None
    start: float = 0.0
    end: float | None = None
    folder: Path | None = None


class Job:
    """A request that can be met."""

    def __init__(self, request: Request, prompt_builder: PromptBuilder | None = None) -> None:
        """Raises UsageError, VideoError, SentenceError or WeightsError, whichever is the first reason why it can't be met.

        prompt_builder: of the request's model, where it is open already.
        """
        self.request = request
        self._prompt_builder = prompt_builder
        self.formats = parse_formats(request.formats)
        _check_range(request)
        self.video = Video.open(request.video)
        if self.info.duration is not None and request.start > self.info.duration:
            raise VideoError(
                f"{shown(request.video)} lasts {self.info.duration:g} seconds; --start {request.start:g} is beyond its end"
            )
        self.model = find_model(request.model)
        if not request.sentences:
            raise UsageError('no sentence given; say what to find, e.g. "the dog that jumps last"')
        for sentence in request.sentences:
            self.prompt_builder.normalise(sentence)
        self.folder = request.folder or run_folder(request.video, request.output)

    @property
    def info(self) -> VideoInfo:
        """What the video's container says."""
        return self.video.info

    @cached_property
    def prompt_builder(self) -> PromptBuilder:
        """The model's tokenizer with its templates."""
        return self._prompt_builder or PromptBuilder.from_file(self.model / "tokenizer.json")

    @property
    def unknown_words(self) -> list[str]:
        """Words of the sentences that the model has never seen, each once."""
        return list(dict.fromkeys(word for text in self.request.sentences for word in self.prompt_builder.unknown_words(text)))

    @property
    def expected_frames(self) -> int | None:
        """How many frames the video claims; None where that is not known before reading, as for a part of it."""
        return self.info.frames if self.request.start == 0 and self.request.end is None else None

    @property
    def pictures(self) -> list[Path]:
        """The renderings, in the order in which they are written."""
        return planned(self.folder, self.request.sentences, self.formats)

    @property
    def files(self) -> list[Path]:
        """Everything that a run leaves: renderings, then the record."""
        return [*self.pictures, self.folder / MASKS_FILE, self.folder / RUN_FILE]

    def recorded_request(self, *, model: str, device: str, dtype: str, chunk: int) -> dict[str, Any]:
        """What decides about the masks, and so whether frames of an interrupted run may be used."""
        request, info = self.request, self.info
        video = {"size": [info.height, info.width], "rate": f"{info.rate.numerator}/{info.rate.denominator}"}
        return {
            "video": {**file_identity(request.video), **video, "start": request.start, "end": request.end},
            "sentences": list(request.sentences),
            "model": {"name": model, "sha256": weight_sums(self.model)},
            "settings": {"device": device, "dtype": dtype, "chunk": chunk, "faithful": request.faithful},
        }


def _check_range(request: Request) -> None:
    """Raises UsageError for a part of the video that can't hold a frame."""
    if request.chunk is not None and request.chunk < 1:
        raise UsageError(f"--chunk {request.chunk}: a chunk holds one frame at least; leave it out for what suits the model")
    if request.end is not None and request.end <= request.start:
        raise UsageError(
            f"--end {request.end:g} is not after --start {request.start:g}; both are seconds since the video's start"
        )
