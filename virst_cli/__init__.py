"""virst: a video and a sentence in, masks out.

    import virst_cli

    model = virst_cli.load()
    for frame in model.segment("video.mp4", ["the dog that jumps last"]):
        frame.masks  # (n,H,W) bool, one mask a sentence

Nothing heavy is imported until `load` is called.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virst_cli.loading import load
    from virst_cli.segmenter import Masks, Segmenter

__all__ = ["Masks", "Segmenter", "load"]
__version__ = "0.1.0"

_HOMES = {"load": "virst_cli.loading", "Masks": "virst_cli.segmenter", "Segmenter": "virst_cli.segmenter"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'virst_cli' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
