"""How the example clips and their true masks were made: clips of the synthetic world, written as videos.

    python tools/make_example.py examples

Training never drew them: its seeds have another form.
"""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from virst_cli.outputs.png import PngFolder
from virst_cli.video.write import VideoWriter
from virst_cli.world import make_clip

EXAMPLES = {  # name: seed, frames, type of the sentence, sentence, numbers of the things it means
    "dogs": (3417, 16, "order", "the dog that jumps last", (2,)),
    "cars": (5011, 24, "order", "the car that jumps first", (2,)),
    "pack": (5146, 24, "plural", "all the blue dogs", (0, 2)),
    "nobody": (5075, 24, "nothing", "the blue cat that jumps", ()),
}
SIZE = (384, 384)
RATE = Fraction(8)


def main(folder: Path) -> None:
    for name, (seed, frames, kind, sentence, targets) in EXAMPLES.items():
        clip = make_clip(seed, frames=frames, size=SIZE, sentences=8, types=(kind,))
        if not any(said.targets == targets for said in clip.sentences):
            raise SystemExit(f"the world of seed {seed} has changed: it says nothing that means {targets}")
        meant = np.isin(clip.ids, [target + 1 for target in targets])  # T,H,W
        with VideoWriter(folder / f"{name}.mp4", size=SIZE, rate=RATE) as video:
            for index, frame in enumerate(clip.frames):
                video.write(frame, float(index / RATE))
        with PngFolder(folder / f"{name}.masks") as masks:
            for index, mask in enumerate(meant):
                masks.write(np.uint8(255) * mask, float(index / RATE))
        print(f"{name}.mp4: {frames} frames; {sentence!r} covers {meant.mean():.1%} of them")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
