"""Small videos of the synthetic world."""

from fractions import Fraction
from pathlib import Path

from virst_cli.video.write import VideoWriter
from virst_cli.world import make_clip


def write_clip(path: Path, *, seed: int, frames: int = 4) -> Path:
    """A video of 48x32 pixels at 8 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, size=(48, 32), rate=Fraction(8)) as writer:
        for index, image in enumerate(make_clip(seed, frames=frames, size=(48, 32)).frames):
            writer.write(image, index / 8)
    return path
