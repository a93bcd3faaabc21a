"""What a run will take, said before it begins: memory and time by stage, and disk. Time and disk to within a factor of two."""

from virst_cli import pace, precision, stay
from virst_cli.checkpoints.sizes import Sizes
from virst_cli.effort import Effort
from virst_cli.footprint import Footprint
from virst_cli.job import Job
from virst_cli.model.config import VirstConfig
from virst_cli.model.small import SMALL
from virst_cli.plan import Plan, chunks

BYTES_A_PIXEL = {"overlay": 0.05, "mask-video": 0.01, "png": 0.01, "cutout": 0.5}  # on disk, of one frame; seen on real videos
LINE = 500  # bytes of masks.jsonl for one frame and sentence
READ = 1e9  # bytes of weights that a disk gives in a second


def memory(job: Job) -> dict[str, int]:
    """Bytes at the peak of each stage. They do not depend on how long the video is.

    Raises OutOfMemory where that is more than the request allows.
    """
    config = VirstConfig.from_json((job.model / "config.json").read_text())
    on_device = _on_device(job.request.device)
    frames = frame_count(job)
    plan = Plan.of(frames, config.vision.frames) if frames else None
    footprint = Footprint(
        config,
        Sizes.of(job.model),
        precision.BYTES[precision.choose(job.request.dtype, config, on_device=on_device)],
        pixels=_pixels(job),
        sentences=len(job.request.sentences),
        on_device=on_device,
        **({} if plan is None else {"looks": len(plan.looks), "fused": len(set(plan.fusion_frames))}),
    )
    small = sum(path.stat().st_size for path in job.model.glob("*.safetensors")) < SMALL
    stays = stay.choose(footprint.by_stage, small=small, many=False, free=None, limit=job.request.max_memory)
    return footprint.by_stage(stays)


def time(job: Job) -> dict[str, float] | None:
    """Seconds of each stage on this machine, whose speed is measured for it; None where the number of frames is not known."""
    frames = frame_count(job)
    if not frames:
        return None
    config = VirstConfig.from_json((job.model / "config.json").read_text())
    dtype = precision.choose(job.request.dtype, config, on_device=_on_device(job.request.device))
    plan = Plan.of(frames, config.vision.frames)
    parts = chunks(frames, plan, job.request.chunk, config.segmentation.frames_per_anchor)
    effort = Effort(config, frames, len(plan.looks), parts, len(job.request.sentences))
    speed, sizes = pace.operations_a_second(job.request.device, dtype), Sizes.of(job.model)
    read = {"look": sizes.vision, "anchor": sizes.fusion, "reason": sizes.language, "track": 0}
    beside = {"track": frames * pace.beside_the_model(_pixels(job))}
    return {
        stage: operations / speed + read[stage] * precision.BYTES[dtype] / READ + beside.get(stage, 0.0)
        for stage, operations in effort.by_stage().items()
    }


def disk(job: Job) -> int | None:
    """Bytes of all files; None where the number of frames is not known."""
    frames = frame_count(job)
    if frames is None:
        return None
    sentences = len(job.request.sentences)
    pictures = sum(BYTES_A_PIXEL[kind] for kind in job.formats) * _pixels(job)
    return round(frames * sentences * (pictures + LINE))


def frame_count(job: Job) -> int | None:
    """How many frames will be segmented, as far as the container tells."""
    if job.expected_frames is not None or job.info.duration is None:
        return job.expected_frames
    end = min(job.info.duration, job.request.end or job.info.duration)
    return round(max(0.0, end - job.request.start) * job.info.rate)


def _pixels(job: Job) -> int:
    return job.info.width * job.info.height


def _on_device(name: str) -> bool:
    """Whether a device, as `--device` has it, is an accelerator."""
    if name != "auto":
        return name != "cpu"
    import torch

    return torch.accelerator.is_available()
