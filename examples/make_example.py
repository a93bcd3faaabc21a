"""How dogs.mp4 and its true masks were made: one clip of the synthetic world, written as a video.

python examples/make_example.py examples
"""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from virst_cli.outputs.png import PngFolder
from virst_cli.video.write import VideoWriter
from virst_cli.world import make_clip

SEED = 3425
SENTENCE = "the dog that jumps last"
RATE = Fraction(8)


def main(folder: Path) -> None:
    clip = make_clip(SEED, frames=24, size=(384, 384), sentences=8, types=("order",))
    sentence = next(said for said in clip.sentences if said.text == SENTENCE)
    with VideoWriter(folder / "dogs.mp4", size=(384, 384), rate=RATE) as video:
        for index, frame in enumerate(clip.frames):
            video.write(frame, float(index / RATE))
    with PngFolder(folder / "dogs.masks") as masks:
        for index, mask in enumerate(clip.masks(sentence)):
            masks.write(np.uint8(255) * mask, float(index / RATE))
    print(f"{folder / 'dogs.mp4'}: {len(clip.frames)} frames; {SENTENCE!r} covers {np.mean(clip.masks(sentence)):.1%} of them")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
