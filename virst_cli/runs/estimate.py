"""What a run will take: memory and seconds of each stage, and disk. Seconds and disk are right to within a factor of two."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from virst_cli.checkpoints.manifest import CONFIG
from virst_cli.checkpoints.sizes import Sizes, is_small
from virst_cli.cost.operations import Operations
from virst_cli.cost.peak_memory import PeakMemory
from virst_cli.cost.residency import choose_residency
from virst_cli.machine.dtypes import ITEM_BYTES, resolve_dtype
from virst_cli.machine.speed import frame_io_seconds, macs_per_second
from virst_cli.model.config import VirstConfig
from virst_cli.runs.job import Request
from virst_cli.stages import Stage
from virst_cli.tracking.frame_selection import Plan, split_into_chunks

if TYPE_CHECKING:
    from virst_cli.video.video import VideoInfo

BYTES_PER_PIXEL = {"overlay": 0.05, "mask-video": 0.01, "png": 0.01, "cutout": 0.5}  # on disk, of a frame; seen on real videos
RECORD_BYTES = 500  # of masks.jsonl, for one frame and sentence
READ_BYTES_PER_SECOND = 1e9  # of weights, from a disk

_measured_speed = cache(macs_per_second)  # the machine stays the same from model to model


class Estimable(Protocol):
    """What an estimate needs to know about a job. A `Job` has it; `virst doctor` makes one up that needs no video."""

    @property
    def request(self) -> Request: ...
    @property
    def info(self) -> "VideoInfo": ...
    @property
    def model(self) -> Path: ...
    @property
    def formats(self) -> Sequence[str]: ...
    @property
    def expected_frames(self) -> int | None: ...


class Estimate:
    """What a job takes on this machine."""

    def __init__(self, job: Estimable) -> None:
        request = job.request
        self.job = job
        self.pixels = job.info.width * job.info.height
        self.frames = _frame_count(job)  # that will be segmented, as far as the container tells
        self._config = VirstConfig.from_json((job.model / CONFIG).read_text(), source=job.model / CONFIG)
        self._sizes = Sizes.of(job.model)
        self._on_device = _on_device(request.device)
        self._dtype = resolve_dtype(
            request.dtype, language_width=self._config.language.width, on_device=self._on_device
        )  # fmt: skip
        self._plan = Plan.of(self.frames, self._config.vision.frames) if self.frames else None

    def memory(self) -> dict[Stage, int]:
        """Peak bytes of each stage of the model. They do not depend on the length of the video.

        Raises OutOfMemory where that is more than the request allows.
        """
        plan, request = self._plan, self.job.request
        peaks = PeakMemory(
            self._config,
            self._sizes,
            ITEM_BYTES[self._dtype],
            pixels=self.pixels,
            sentences=len(request.sentences),
            on_device=self._on_device,
            **({} if plan is None else {"lm_frames": len(plan.lm_frames), "fusion_frames": len(set(plan.fusion_frames))}),
        )
        small = is_small(self.job.model)
        return peaks.by_stage(choose_residency(peaks.by_stage, small=small, many=False, free=None, limit=request.max_memory))

    def time(self) -> dict[Stage, float] | None:
        """Seconds of each stage, for which the machine's speed is measured; None where the number of frames is not known."""
        if self._plan is None or self.frames is None:
            return None
        request, sizes, model = self.job.request, self._sizes, self._config.segmentation
        chunks = split_into_chunks(self.frames, self._plan, request.chunk or model.chunk, model.frames_per_anchor)
        work = Operations(self._config, self.frames, len(self._plan.lm_frames), chunks, len(request.sentences))
        speed = _measured_speed(request.device, self._dtype)
        loaded = {Stage.LOOK: sizes.vision, Stage.REASON: sizes.language, Stage.FUSE: sizes.fusion}  # numbers, in each stage
        seconds = {
            stage: macs / speed + loaded.get(stage, 0) * ITEM_BYTES[self._dtype] / READ_BYTES_PER_SECOND
            for stage, macs in work.by_stage().items()
        }
        return {**seconds, Stage.WRITE: self.frames * frame_io_seconds(self.pixels)}

    def disk(self) -> int | None:
        """Bytes of all files; None where the number of frames is not known."""
        if self.frames is None:
            return None
        pictures = sum(BYTES_PER_PIXEL[kind] for kind in self.job.formats) * self.pixels
        return round(self.frames * len(self.job.request.sentences) * (pictures + RECORD_BYTES))


def _frame_count(job: Estimable) -> int | None:
    if job.expected_frames is not None or job.info.duration is None:
        return job.expected_frames
    end = min(job.info.duration, job.request.end or job.info.duration)
    return round(max(0.0, end - job.request.start) * job.info.rate)


def _on_device(name: str) -> bool:
    """Whether a device, as `--device` has it, is an accelerator."""
    if name != "auto":
        return name != "cpu"
    import torch

    return torch.accelerator.is_available()
