"""What this installation consists of, and whether each part works: the answers of `virst doctor`.

Every check is a function that returns what it found or raises; nothing here stops at the first trouble.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from virst_cli.checkpoints.find import home
from virst_cli.checkpoints.inventory import models, verify_model
from virst_cli.errors import VirstError
from virst_cli.machine.memory import free_bytes, readable
from virst_cli.runs.estimate import Estimate
from virst_cli.runs.job import Request
from virst_cli.stages import Stage
from virst_cli.version import __version__
from virst_cli.video.ffmpeg import binary
from virst_cli.video.probe import VideoInfo

PACKAGES = ("torch", "torchvision", "transformers", "sam2", "huggingface-hub", "imageio-ffmpeg", "numpy", "pillow")
LITTLE_MEMORY = 2_000_000_000  # bytes; virst-nano takes half of it
LITTLE_DISK = 1_000_000_000


@dataclass(frozen=True)
class Takes:
    """What the example takes with a model, as an `Estimate` says it."""

    memory: dict[Stage, int]  # bytes at the peak of each stage
    disk: int | None  # bytes
    time: dict[Stage, float] | None  # seconds of each stage


@dataclass(frozen=True)
class Finding:
    """One line of the answer. `trouble` says what is wrong and what to do; None if all is well. `takes`: of a model only."""

    topic: str
    found: str
    trouble: str | None = None
    takes: Takes | None = None


@dataclass(frozen=True)
class _Example:
    """A job for which no video is needed: something to compare models by."""

    model: Path
    request = Request(Path("example.mp4"), ["the dog that jumps last"])
    info = VideoInfo(request.video, 1280, 720, Fraction(24), 240, 10.0, has_audio=False)
    formats = request.formats
    expected_frames = info.frames


def examine() -> Iterator[Finding]:
    """All checks, one after the other."""
    yield Finding("virst", f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    for package in PACKAGES:
        yield _checked(package, partial(_package, package))
    yield _checked("device", _device)
    yield _checked("memory", _memory)
    yield _checked("ffmpeg", _ffmpeg)
    yield _checked("disk", _disk)
    yield Finding("example", _example())
    for model in models():
        yield _checked(f"model {model.name}", partial(_model, model.name, model.bytes))


def _checked(topic: str, check: Callable[[], Finding | str]) -> Finding:
    try:
        found = check()
    except (VirstError, ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        return Finding(topic, "broken", str(error).splitlines()[0] if str(error) else type(error).__name__)
    return found if isinstance(found, Finding) else Finding(topic, found)


def _package(name: str) -> Finding | str:
    try:
        here = version(name)
    except PackageNotFoundError:
        return Finding(name, "missing", "install virst again: pip install --force-reinstall virst")
    if name == "torchvision":
        import torchvision  # a pair that doesn't match fails here, or in the first operator

        torchvision.ops.nms  # noqa: B018
    return here


def _device() -> str:
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return f"cpu, {torch.get_num_threads()} threads; no accelerator was found"
    name = torch.cuda.get_device_name() if accelerator.type == "cuda" else accelerator.type
    return f"{accelerator.type} ({name})"


def _memory() -> Finding:
    free = free_bytes()
    if free is None:
        return Finding("memory", "unknown")
    trouble = "too little even for virst-nano; close other programs" if free < LITTLE_MEMORY else None
    return Finding("memory", f"{readable(free)} free", trouble)


def _ffmpeg() -> str:
    said = subprocess.run([binary(), "-version"], capture_output=True, text=True, check=True, timeout=20).stdout
    return f"{said.split()[2]} at {binary()}"


def _disk() -> Finding:
    place = home()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    trouble = f"models are kept there; set VIRST_HOME to a disk with more than {readable(free)}" if free < LITTLE_DISK else None
    if not os.access(there, os.W_OK):
        trouble = f"{there} can't be written; set VIRST_HOME to a folder of your own"
    return Finding("disk", f"{readable(free)} free at {Path(place)}", trouble)


def _example() -> str:
    info = _Example.info
    frames = f"{info.duration:g} s of {info.width}x{info.height}, {info.frames} frames"
    return f"one sentence about {frames}: what each model takes for it on this machine"


def _model(name: str, size: int) -> Finding:
    estimate = Estimate(_Example(verify_model(name)))
    takes = Takes(estimate.memory(), estimate.disk(), estimate.time())
    return Finding(f"model {name}", f"{readable(size)}, every file as published", takes=takes)
