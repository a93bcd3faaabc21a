"""virst: a video and a sentence in, masks out.

    import virst_cli

    model = virst_cli.load()
    for frame in model.segment("video.mp4", ["the dog that jumps last"]):
        frame.masks  # (n,H,W) bool, one mask per sentence

Nothing heavy is imported until `load` is called.
"""

from typing import TYPE_CHECKING, Any

from virst_cli.errors import (
    DiskFull,
    OutOfMemory,
    OutputError,
    SentenceError,
    UsageError,
    VideoError,
    VirstError,
    WeightsError,
)
from virst_cli.version import __version__

if TYPE_CHECKING:
    from virst_cli.segmenter.load import load
    from virst_cli.segmenter.segmenter import Segmenter
    from virst_cli.segmenter.tracking_pass import FrameResult

__all__ = [
    "DiskFull",
    "FrameResult",
    "OutOfMemory",
    "OutputError",
    "Segmenter",
    "SentenceError",
    "UsageError",
    "VideoError",
    "VirstError",
    "WeightsError",
    "__version__",
    "load",
]

_LAZY_NAMES = {
    "load": "virst_cli.segmenter.load",
    "FrameResult": "virst_cli.segmenter.tracking_pass",
    "Segmenter": "virst_cli.segmenter.segmenter",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _LAZY_NAMES:
        raise AttributeError(f"module 'virst_cli' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY_NAMES[name]), name)
