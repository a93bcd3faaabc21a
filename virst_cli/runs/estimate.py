"""What a run will take, said before it begins: memory and time by stage, and disk. Time and disk to within a factor of two."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from virst_cli.checkpoints.manifest import CONFIG
from virst_cli.checkpoints.sizes import Sizes, is_small
from virst_cli.cost import residency
from virst_cli.cost.operations import Operations
from virst_cli.cost.peak_memory import PeakMemory
from virst_cli.machine import dtypes, speed
from virst_cli.model.config import VirstConfig
from virst_cli.runs.job import Request
from virst_cli.tracking.schedule import Plan, split_into_chunks

if TYPE_CHECKING:
    from virst_cli.video.probe import VideoInfo

BYTES_A_PIXEL = {"overlay": 0.05, "mask-video": 0.01, "png": 0.01, "cutout": 0.5}  # on disk, of one frame; seen on real videos
LINE = 500  # bytes of masks.jsonl for one frame and sentence
READ = 1e9  # bytes of weights that a disk gives in a second

_macs_per_second = cache(speed.macs_per_second)  # the machine stays the same from model to model


class Estimable(Protocol):
    """What an estimate has to know. Every `Job` says it; an example can say it without a video."""

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
    """Of a job, on this machine."""

    def __init__(self, job: Estimable) -> None:
        request = job.request
        self.job = job
        self.pixels = job.info.width * job.info.height
        self.frames = _frame_count(job)  # that will be segmented, as far as the container tells
        self._config = VirstConfig.from_json((job.model / CONFIG).read_text(), source=job.model / CONFIG)
        self._sizes = Sizes.of(job.model)
        self._on_device = _on_device(request.device)
        self._dtype = dtypes.resolve_dtype(request.dtype, language_width=self._config.language.width, on_device=self._on_device)
        self._plan = Plan.of(self.frames, self._config.vision.frames) if self.frames else None

    def memory(self) -> dict[str, int]:
        """Bytes at the peak of each stage. They do not depend on how long the video is.

        Raises OutOfMemory where that is more than the request allows.
        """
        plan, request = self._plan, self.job.request
        footprint = PeakMemory(
            self._config,
            self._sizes,
            dtypes.ITEM_BYTES[self._dtype],
            pixels=self.pixels,
            sentences=len(request.sentences),
            on_device=self._on_device,
            **({} if plan is None else {"looks": len(plan.looks), "fused": len(set(plan.fusion_frames))}),
        )
        small = is_small(self.job.model)
        return footprint.by_stage(
            residency.choose_residency(footprint.by_stage, small=small, many=False, free=None, limit=request.max_memory)
        )

    def time(self) -> dict[str, float] | None:
        """Seconds of each stage, for which the machine's speed is measured; None where the number of frames is not known."""
        if self._plan is None or self.frames is None:
            return None
        request, sizes, model = self.job.request, self._sizes, self._config.segmentation
        parts = split_into_chunks(self.frames, self._plan, request.chunk or model.chunk, model.frames_per_anchor)
        effort = Operations(self._config, self.frames, len(self._plan.looks), parts, len(request.sentences))
        macs_per_second = _macs_per_second(request.device, self._dtype)
        read = {"look": sizes.vision, "anchor": sizes.fusion, "reason": sizes.language, "track": 0}
        beside = {"track": self.frames * speed.frame_io_seconds(self.pixels)}
        return {
            stage: operations / macs_per_second + read[stage] * dtypes.ITEM_BYTES[self._dtype] / READ + beside.get(stage, 0.0)
            for stage, operations in effort.by_stage().items()
        }

    def disk(self) -> int | None:
        """Bytes of all files; None where the number of frames is not known."""
        if self.frames is None:
            return None
        pictures = sum(BYTES_A_PIXEL[kind] for kind in self.job.formats) * self.pixels
        return round(self.frames * len(self.job.request.sentences) * (pictures + LINE))


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
