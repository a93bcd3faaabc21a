"""Turns a clip and its masks into the layout of MeViS, to tune virst-nano to it or to score a model on it.

    python examples/make_dataset.py FOLDER clip.mp4 masks/ "1: the black dog" "1+2: both dogs"
    virst train --init virst-nano --dataset mevis --root FOLDER --output mine
    virst bench --dataset mevis --root FOLDER --model mine

masks/ holds one palette PNG a frame, in order, whose pixels are object numbers (0 is background), as most annotation tools
write them. A sentence is preceded by the numbers of the objects that it means. Run it once a clip; clips add up.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from virst_cli.outputs import rle
from virst_cli.video.video import Video


def main(folder: Path, clip: Path, masks: Path, *sentences: str) -> None:
    """Add one clip to the data set in `folder`."""
    root = folder / "mevis" / "valid_u"
    meta = _read(root / "meta_expressions.json") or {"videos": {}}
    table = _read(root / "mask_dict.json") or {}
    name = clip.stem
    frames, objects = root / "JPEGImages" / name, [np.asarray(Image.open(path)) for path in sorted(masks.glob("*.png"))]
    frames.mkdir(parents=True)
    count = 0
    for frame in Video.open(clip).frames():
        Image.fromarray(frame.rgb).save(frames / f"{frame.index:05d}.jpg", quality=95)
        count += 1
    if count != len(objects):
        raise SystemExit(f"{clip} has {count} frames, but there are {len(objects)} masks in {masks}")
    expressions = {}
    for key, sentence in enumerate(sentences):
        numbers, text = sentence.split(":", 1)
        annotations = []
        for number in map(int, numbers.split("+")):
            annotations.append(len(table))
            seen = [np.asfortranarray(picture == number) for picture in objects]
            table[str(annotations[-1])] = [rle.encode(mask) if mask.any() else None for mask in seen]
        expressions[str(key)] = {"exp": text.strip(), "obj_id": annotations, "anno_id": annotations}
    meta["videos"][name] = {"frames": [f"{t:05d}" for t in range(count)], "expressions": expressions}
    (root / "mask_dict.json").write_text(json.dumps(table))
    (root / "meta_expressions.json").write_text(json.dumps(meta, indent=1))


def _read(path: Path) -> dict | None:
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    if len(sys.argv) < 5:
        raise SystemExit(__doc__)
    main(*map(Path, sys.argv[1:4]), *sys.argv[4:])
