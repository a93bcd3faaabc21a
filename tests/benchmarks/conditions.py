"""How a model does under conditions that it was not trained for, beside its plain figure from the same run.

    python tests/benchmarks/conditions.py [MODEL] [VIDEOS]

Sizes and aspect ratios, heavy compression, other words, and clips ten and twenty times as long as most of those in training
(both also in chunks as published, so that most frames are tracked). Every line is J&F on held-out clips of the synthetic world,
and how it differs from the first.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

import virst_cli
from virst_cli.bench import Dataset, Sample, run_benchmark
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.metrics import region
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.tracking.frame_selection import PUBLISHED_CHUNK
from virst_cli.training.compression import through_h264

SEED = 1000
SYNONYMS = {
    "dog": "puppy", "dogs": "puppies", "cat": "kitten", "cats": "kittens", "car": "automobile", "cars": "automobiles",
    "box": "crate", "boxes": "crates", "thing": "item", "things": "items", "small": "tiny", "large": "huge", "jumps": "leaps",
    "jump": "leap", "jumping": "leaping", "enters": "appears", "enter": "appear", "entering": "appearing", "near": "close to",
}  # fmt: skip


@dataclass(frozen=True)
class Changed:
    """A data set whose samples are changed before they are shown."""

    base: Dataset
    change: Callable[[Sample], Sample]

    @property
    def name(self) -> str:
        return self.base.name

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Sample:
        return self.change(self.base[index])


def compressed(crf: int) -> Callable[[Sample], Sample]:
    """Through H.264 at that rate factor: 36 is bad, 40 a quality that nobody would want."""
    return lambda sample: replace(sample, frames=list(through_h264(np.stack(list(sample.frames))[None], crf)[0]))


def said(how: Callable[[str], str]) -> Callable[[Sample], Sample]:
    return lambda sample: replace(sample, expressions=[replace(e, text=how(e.text)) for e in sample.expressions])


def synonyms(text: str) -> str:
    return re.sub(r"\w+", lambda word: SYNONYMS.get(word[0], word[0]), text)


def question(text: str) -> str:
    return f"where is {text}?" if text.startswith("the ") else text


def main(model: str, videos: int) -> None:
    def world(videos: int = videos, frames: int = 16, size: tuple[int, int] = (128, 128)) -> WorldSet:
        return WorldSet(videos=videos, seed=SEED, frames=frames, size=size)

    conditions: dict[str, Dataset] = {
        "16 frames of 128x128": world(),
        "256x256": world(size=(256, 256)),
        "512x512": world(size=(512, 512)),
        "16:9, 320x180": world(size=(320, 180)),
        "9:16, 180x320": world(size=(180, 320)),
        "H.264 at CRF 36": Changed(world(), compressed(36)),
        "H.264 at CRF 40": Changed(world(), compressed(40)),
        "512x512 at CRF 40": Changed(world(size=(512, 512)), compressed(40)),
        "synonyms": Changed(world(), said(synonyms)),
        "upper case": Changed(world(), said(str.upper)),
        "a question": Changed(world(), said(question)),
        "160 frames": world(videos // 2, frames=160),
        "320 frames": world(videos // 4, frames=320),
    }
    segmenter = virst_cli.load(model)
    plain = None
    own = segmenter.chunk
    measured = [(name, dataset, own) for name, dataset in conditions.items()]
    measured += [
        (f"{name}, --chunk {PUBLISHED_CHUNK}", conditions[name], PUBLISHED_CHUNK) for name in ("160 frames", "320 frames")
    ]
    for name, dataset, chunk in measured:
        segmenter.chunk = chunk
        found = run_benchmark(without_objects(dataset), segmenter, name=segmenter.name).as_dict()["scores"]["J&F"]
        plain = found if plain is None else plain
        print(f"{name:26s} {len(dataset):4d} clips   J&F {found:5.1f}   {found - plain:+5.1f}", flush=True)
    segmenter.chunk = own
    before, after, count = returned(segmenter, world(videos // 2, frames=160))
    print(f"{count} targets leave and come back: J {before:.1f} before they leave, {after:.1f} after they came back")


def returned(segmenter: Segmenter, dataset: Dataset) -> tuple[float, float, int]:
    """Mean J (percent) of targets before they are first out of sight, and after they are back; how many do so."""
    before, after = [], []
    for sample in (dataset[index] for index in range(len(dataset))):
        seen = np.array([[e.truth[t].any() for t in range(len(sample.frame_names))] for e in sample.expressions])  # n,T
        again = [n for n, row in enumerate(seen) if _gap(row) is not None]
        if not again:
            continue
        answers = segmenter.segment_frames(sample.frames, [sample.expressions[n].text for n in again])
        scores = np.array(
            [
                [region(m, sample.expressions[n].truth[t]) for m, n in zip(masks, again, strict=True)]
                for t, masks in enumerate(answers)
            ]
        )
        for k, n in enumerate(again):
            gone, back = _gap(seen[n])
            before.append(scores[:gone, k][seen[n][:gone]].mean())
            after.append(scores[back:, k][seen[n][back:]].mean())
    return 100 * float(np.mean(before)), 100 * float(np.mean(after)), len(after)


def _gap(seen: np.ndarray) -> tuple[int, int] | None:
    """The first frame out of sight after having been seen, and the first one back."""
    steps = np.diff(seen.astype(int))
    gone = np.flatnonzero(steps < 0)
    back = np.flatnonzero(steps > 0)
    back = back[back > gone[0]] if gone.size else back[:0]
    return (int(gone[0]) + 1, int(back[0]) + 1) if back.size else None


def without_objects(dataset: Dataset) -> Dataset:
    """Without the objects there are no baselines, which take their time."""
    return Changed(dataset, lambda sample: replace(sample, objects=None))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "virst-nano", int(sys.argv[2]) if len(sys.argv) > 2 else 64)
