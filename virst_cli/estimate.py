"""What a run will take, said before it begins: memory and disk, to within a factor of two."""

from virst_cli.job import Job
from virst_cli.model.config import VirstConfig
from virst_cli.model.small import SMALL
from virst_cli.plan import FUSION_FRAMES

LIBRARIES = 900_000_000  # bytes that torch, transformers and sam2 take before they do anything; measured on Linux
FRAMES_HELD = 24  # frames on their way: decoded, resized, painted, in three readers and all writers
BYTES_A_PIXEL = {"overlay": 0.05, "mask-video": 0.01, "png": 0.01, "cutout": 0.5}  # on disk, of one frame; seen on real videos
LINE = 500  # bytes of masks.jsonl for one frame and sentence


def memory(job: Job) -> int:
    """Bytes at the peak. They do not depend on how long the video is."""
    config = VirstConfig.from_json((job.model / "config.json").read_text())
    shards = [path.stat().st_size for path in job.model.glob("*.safetensors")]
    weights = sum(shards) if sum(shards) < SMALL else 2 * max(shards)  # a large one is there a part at a time
    side, width = config.segmentation.image_size, config.segmentation.width
    features = FUSION_FRAMES * (side // 16) ** 2 * width * 4 * 2  # coarse ones in float32, finer ones about as much again
    return LIBRARIES + 2 * weights + features + FRAMES_HELD * _pixels(job) * 3


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
