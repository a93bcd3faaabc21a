"""Checks the installation for `virst doctor`: packages, device, memory, ffmpeg, disk and models.

A check is a function that returns its result or raises; an exception becomes a result, so that all checks are always run.
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
from virst_cli.video.video import VideoInfo

PACKAGES = ("torch", "torchvision", "transformers", "sam2", "huggingface-hub", "imageio-ffmpeg", "numpy", "pillow")
MIN_MEMORY = 2_000_000_000  # bytes; virst-nano takes half of it
MIN_DISK = 1_000_000_000  # bytes


@dataclass(frozen=True)
class Cost:
    """The estimated cost of the example job with one model."""

    memory: dict[Stage, int]  # bytes at the peak of each stage
    disk: int | None  # bytes of all files; None if unknown
    time: dict[Stage, float] | None  # seconds of each stage; None if unknown


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    topic: what was checked.
    found: what is there, such as a version.
    problem: what is wrong and what to do about it, or None.
    cost: of a model, what the example job needs with it.
    """

    topic: str
    found: str
    problem: str | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class _Example:
    """An `Estimable` job without a video, used to compare the cost of models."""

    model: Path
    request = Request(Path("example.mp4"), ["the dog that jumps last"])
    info = VideoInfo(request.video, 1280, 720, Fraction(24), 240, 10.0, has_audio=False)
    formats = request.formats
    expected_frames = info.frames


def run_checks() -> Iterator[CheckResult]:
    """Run all checks one after another; yields each result as soon as it is known."""
    yield CheckResult("virst", f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    for package in PACKAGES:
        yield _run_check(package, partial(_check_package, package))
    yield _run_check("device", _check_device)
    yield _run_check("memory", _check_memory)
    yield _run_check("ffmpeg", _check_ffmpeg)
    yield _run_check("disk", _check_disk)
    yield CheckResult("example", _describe_example())
    for model in models():
        yield _run_check(f"model {model.name}", partial(_check_model, model.name, model.bytes))


def _run_check(topic: str, check: Callable[[], CheckResult | str]) -> CheckResult:
    """The result of a check: what it returns, or a problem with the first line of the exception that it raises."""
    try:
        found = check()
    except (VirstError, ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        return CheckResult(topic, "does not work", str(error).splitlines()[0] if str(error) else type(error).__name__)
    return found if isinstance(found, CheckResult) else CheckResult(topic, found)


def _check_package(name: str) -> CheckResult | str:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return CheckResult(name, "missing", "reinstall virst: pip install --force-reinstall virst")
    if name == "torchvision":
        import torchvision  # a version that does not match torch fails here, or at the first operator

        torchvision.ops.nms  # noqa: B018
    return installed


def _check_device() -> str:
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return f"cpu, {torch.get_num_threads()} threads; no accelerator found"
    name = torch.cuda.get_device_name() if accelerator.type == "cuda" else accelerator.type
    return f"{accelerator.type} ({name})"


def _check_memory() -> CheckResult:
    free = free_bytes()
    if free is None:
        return CheckResult("memory", "free memory unknown on this system")
    problem = "too little memory even for virst-nano; close other programs" if free < MIN_MEMORY else None
    return CheckResult("memory", f"{readable(free)} free", problem)


def _check_ffmpeg() -> str:
    output = subprocess.run([binary(), "-version"], capture_output=True, text=True, check=True, timeout=20).stdout
    return f"{output.split()[2]} at {binary()}"  # the first line is "ffmpeg version 7.0.2 ..."


def _check_disk() -> CheckResult:
    folder = home()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    problem = None
    if free < MIN_DISK:
        problem = f"too little disk space for models; set VIRST_HOME to a folder with more than {readable(MIN_DISK)} free"
    if not os.access(existing, os.W_OK):
        problem = f"{existing} is not writable; set VIRST_HOME to a folder that you can write to"
    return CheckResult("disk", f"{readable(free)} free at {folder}", problem)


def _describe_example() -> str:
    info = _Example.info
    frames = f"{info.duration:g} s of {info.width}x{info.height}, {info.frames} frames"
    return f"one sentence about {frames}; estimated below for each model on this machine"


def _check_model(name: str, size: int) -> CheckResult:
    estimate = Estimate(_Example(verify_model(name)))
    cost = Cost(estimate.memory(), estimate.disk(), estimate.time())
    return CheckResult(f"model {name}", f"{readable(size)}, every file matches its sha256", cost=cost)
