"""Races `virst bench --predictions` against the vos-benchmark package on the same folders of PNG masks.

    python -m venv /tmp/vos && /tmp/vos/bin/pip install vos-benchmark
    python tests/benchmarks/score_speed.py /tmp/vos/bin/python

Both run as whole processes on all cores, in turns, so that a busy machine slows both. Fails where J or F of an object
differ, or where virst is less than three times as fast.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = {"480p": (854, 480, 6, 40), "1080p": (1920, 1080, 3, 30)}  # width, height, videos, frames
OBJECTS = 3  # of a video
WANTED = 3.0  # times as fast
THEIRS = """
import json, sys
from pathlib import Path
from vos_benchmark.benchmark import benchmark
roots = [sorted(str(video) for video in Path(root).iterdir()) for root in sys.argv[1:]]
*_, found = benchmark(*roots, verbose=False, skip_first_and_last=False)
scores = {f"{Path(root).name}/{name}": (j[255], f[255]) for root, one in zip(roots[0], found) for name, (j, f) in one.items()}
print(json.dumps(scores))
"""


def main() -> None:
    """Makes the masks, runs the race, prints a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="of an environment with vos-benchmark")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    slow = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, size in SIZES.items():
            truth, answers = Path(scratch, name, "truth"), Path(scratch, name, "answers")
            pairs = make(truth, answers, *size)
            theirs, ours = [], []
            for _ in range(given.rounds):
                theirs.append(Run(given.python, "-c", THEIRS, str(truth), str(answers)))
                ours.append(Run(sys.executable, __file__, "--score", str(truth), str(answers)))
            agree(theirs[0].scores, ours[0].scores)
            wall = median(a.seconds / b.seconds for a, b in zip(theirs, ours, strict=True))
            work = median(a.cpu / b.cpu for a, b in zip(theirs, ours, strict=True))
            print(
                f"{name}: {pairs} pairs, {os.cpu_count()} cores: vos-benchmark {median(run.seconds for run in theirs):.2f} s, "
                f"virst {median(run.seconds for run in ours):.2f} s, {wall:.1f} times as fast "
                f"({work:.1f} by processor time); peak memory of a process {ours[0].memory / 2**20:.0f} MiB, "
                f"theirs {theirs[0].memory / 2**20:.0f} MiB"
            )
            if wall < WANTED:
                slow.append(name)
    if slow:
        sys.exit(f"less than {WANTED} times as fast: {', '.join(slow)}")


class Run:
    """One process, waited for: what it found, how long it took, and its largest process's memory in bytes."""

    def __init__(self, *command: str) -> None:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)  # counts its own children too
        self.seconds = time.perf_counter() - start
        assert status == 0, f"{command[0]} failed"
        self.cpu = used.ru_utime + used.ru_stime
        self.memory = used.ru_maxrss * 1024
        self.scores: dict[str, Sequence[float]] = json.loads(said)


def agree(theirs: dict[str, Sequence[float]], ours: dict[str, Sequence[float]]) -> None:
    """Both found the same J and F, in percent, for every object."""
    assert theirs.keys() == ours.keys()
    for name, scores in theirs.items():
        assert np.allclose(scores, ours[name], rtol=0, atol=1e-9), f"{name}: {scores} is not {ours[name]}"


def make(truth: Path, answers: Path, width: int, height: int, videos: int, frames: int) -> int:
    """Writes objects that drift through the frame, with ragged outlines, and guesses at them; returns how many pairs.

    FOLDER/VIDEO/OBJECT/FRAME.png for both. Every object is there in the first frame: before an object appears,
    vos-benchmark does not count its frames, where everyone else counts them as right.
    """
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for video in range(videos):
        for thing in range(OBJECTS):
            start = rng.uniform(0.2, 0.8, 2) * (height, width)
            speed = rng.uniform(-1, 1, 2) * height / frames
            size = rng.uniform(0.06, 0.25) * height
            shape = 0.25 * noise(rng, height, width, height // 12) + 0.08 * noise(rng, height, width, height // 60)
            error = 0.06 * noise(rng, height, width, height // 12) + 0.05 * noise(rng, height, width, height // 80)
            for frame in range(frames):
                down, right = (int(way) for way in start + speed * frame)
                middle = np.hypot(y - down, x - right) / size + np.roll(shape, (down, right), (0, 1))
                for folder, mask in ((truth, middle < 1), (answers, middle + error < 1.02)):
                    path = folder / f"video{video}" / str(thing) / f"{frame:05d}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask * np.uint8(255)).save(path)
    return videos * OBJECTS * frames


def noise(rng: np.random.Generator, height: int, width: int, grain: int) -> NDArray[np.float32]:
    """Smooth hills, `grain` pixels wide."""
    coarse = rng.standard_normal((height // grain + 3, width // grain + 3)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def score(truth: Path, answers: Path) -> dict[str, Sequence[float]]:
    """What virst finds: J and F in percent for every VIDEO/OBJECT."""
    from virst_cli.bench import score_predictions

    report = score_predictions(stored_truth(truth), answers)
    assert not report.missing
    return {f"{row.video}/{row.expression}": (100 * row.j, 100 * row.f) for row in report.expression_scores}


def stored_truth(folder: Path) -> Any:
    """A data set whose true masks are PNGs, VIDEO/OBJECT/FRAME.png."""
    from virst_cli.bench.mask_png import read_cropped_mask
    from virst_cli.bench.metrics import CroppedMask
    from virst_cli.bench.samples import Expression, Sample

    class Stored:
        """The masks of one object."""

        def __init__(self, place: Path, names: Sequence[str]) -> None:
            self.place, self.names = place, names

        def __getitem__(self, frame: int) -> CroppedMask:
            return read_cropped_mask(self.place / f"{self.names[frame]}.png")

    def samples() -> Iterator[Sample]:
        for video in sorted(folder.iterdir()):
            objects = sorted(video.iterdir())
            names = sorted(path.stem for path in objects[0].iterdir())
            said = [Expression(place.name, "an object", Stored(place, names)) for place in objects]
            yield Sample(video.name, names, [], said)

    class Folder(list[Sample]):
        """All of them."""

        name = "stored"

    return Folder(samples())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--score"]:
        print(json.dumps(score(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main()
