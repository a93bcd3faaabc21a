"""A job: one request, checked before anything heavy is imported. The video opens, the model is here, the sentences can be asked.

Every mistake that a user can make shows up here, within a second and before a weight is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.find import find_model
from virst_cli.errors import UsageError, VideoError
from virst_cli.files.shown import shown
from virst_cli.model.prompt import PromptBuilder
from virst_cli.outputs.names import run_folder
from virst_cli.outputs.record import MASKS_FILE, RUN_FILE
from virst_cli.outputs.renderings import parse_formats, planned
from virst_cli.outputs.request_key import file_identity
from virst_cli.video.video import Video, VideoInfo, VideoRange


@dataclass(frozen=True)
class Request:
    """What a user asks of one video."""

    video: Path  # a file, or a folder of frames
    sentences: Sequence[str]
    output: Path = Path()  # folder in which the run folder is created
    formats: Sequence[str] = ("overlay",)
    model: str | None = None  # as `--model` has it; None for the best one that is installed
    device: str = "auto"
    dtype: str = "auto"
    chunk: int | None = None  # frames that share anchors; None for what suits the model
    faithful: bool = False  # resize frames exactly as the published code does
    max_memory: int | None = None  # bytes; masks do not depend on it
    start: float = 0.0  # seconds
    end: float | None = None  # seconds; None for the end of the video
    folder: Path | None = None  # the run folder; None for `<video>.virst` in `output`


class Job:
    """A request that has been checked."""

    def __init__(self, request: Request, prompt_builder: PromptBuilder | None = None) -> None:
        """Checks a request.

        prompt_builder: of the request's model, if it is open already.
        Raises UsageError, VideoError, SentenceError or WeightsError for the first thing that is wrong.
        """
        self.request = request
        self._prompt_builder = prompt_builder
        self.formats = parse_formats(request.formats)
        _check_range(request)
        self.video = Video.open(request.video)
        self.frames = VideoRange(self.video, request.start, request.end)
        if self.info.duration is not None and request.start > self.info.duration:
            raise VideoError(
                f"--start {request.start:g} lies beyond {shown(request.video)}, which lasts {self.info.duration:g} seconds"
            )
        self.model = find_model(request.model)
        if not request.sentences:
            raise UsageError('no sentence given; say what to find, for example "the dog that jumps last"')
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
        """Words of the sentences that are not in the model's vocabulary, each once."""
        return list(dict.fromkeys(word for text in self.request.sentences for word in self.prompt_builder.unknown_words(text)))

    @property
    def expected_frames(self) -> int | None:
        """How many frames the video claims to hold; None where that is not known before reading, as for a part of it."""
        return self.frames.expected

    @property
    def pictures(self) -> list[Path]:
        """The files of all renderings, in the order in which they are written."""
        return planned(self.folder, self.request.sentences, self.formats)

    @property
    def files(self) -> list[Path]:
        """All files that a run writes: renderings, then the record."""
        return [*self.pictures, self.folder / MASKS_FILE, self.folder / RUN_FILE]

    def recorded_request(self) -> dict[str, Any]:
        """What is asked of the video: all that the masks depend on, besides the model and its settings."""
        request, info = self.request, self.info
        video = {"size": [info.height, info.width], "rate": f"{info.rate.numerator}/{info.rate.denominator}"}
        return {
            "video": {**file_identity(request.video), **video, "start": request.start, "end": request.end},
            "sentences": list(request.sentences),
        }


def _check_range(request: Request) -> None:
    """Raises UsageError for a chunk or a part of the video that can't hold a frame."""
    if request.chunk is not None and request.chunk < 1:
        raise UsageError("--chunk must be at least 1; leave it out for what suits the model")
    if request.end is not None and request.end <= request.start:
        raise UsageError(f"--end {request.end:g} must be later than --start {request.start:g}")
