"""The picture in the README: frames of a video side by side.

python tools/make_strip.py dogs.virst/the-dog-that-jumps-last.overlay.mp4 examples/dogs.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from virst_cli.video.video import Video

FRAMES = 6
GAP = 4  # white pixels between frames


def main(video: Path, picture: Path) -> None:
    frames = [frame.rgb for frame in Video.open(video).frames()]
    chosen = [frames[round(place)] for place in np.linspace(0, len(frames) - 1, FRAMES)]
    gap = np.full((chosen[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for frame in chosen for part in (frame, gap)][:-1]
    Image.fromarray(np.concatenate(parts, axis=1)).save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
