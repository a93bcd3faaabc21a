"""Small data sets in every published layout, written as they come out of their archives.

Two videos of two things each: a box that moves to the right, and one that stands still and is gone in the last frame.
"""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from virst_cli.bench import Dataset
from virst_cli.outputs import rle

HEIGHT, WIDTH, FRAMES = 36, 48, 4
VIDEOS = ("aardvark", "zebra")
NAMES = [f"{5 * t:05d}" for t in range(FRAMES)]  # every fifth frame of a video, as in YouTube-VOS


def things(video: int) -> NDArray[np.bool_]:
    """Masks of the two things of a video, (2, T, H, W)."""
    masks = np.zeros((2, FRAMES, HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        masks[0, t, 4:14, 4 + 6 * t : 16 + 6 * t] = True
        masks[1, t, 20:32, 10 + 8 * video : 24 + 8 * video] = t < FRAMES - 1
    return masks


def write_frames(folder: Path, video: int) -> None:
    """The things in white and light grey on dark grey, a little different for each video."""
    folder.mkdir(parents=True)
    masks = things(video)
    for t, name in enumerate(NAMES):
        picture = np.full((HEIGHT, WIDTH, 3), 30 + 20 * video, np.uint8)
        picture[masks[0, t]], picture[masks[1, t]] = 250, 200
        Image.fromarray(picture).save(folder / f"{name}.jpg", quality=95)


def write_json(path: Path, table: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table))


def codes(masks: NDArray[np.bool_]) -> list[Any]:
    """RLEs of masks (T, H, W), None for an empty one."""
    return [rle.encode(mask) if mask.any() else None for mask in masks]


def mevis(root: Path, split: str = "valid_u", folder: str = "mevis") -> Path:
    """MeViS; the split valid is without masks, and its sentences without annotations."""
    home = root / folder / split
    meta: dict[str, Any] = {}
    for number, video in enumerate(VIDEOS):
        write_frames(home / "JPEGImages" / video, number)
        expressions = {}
        for key, meant in enumerate(([0], [1], [0, 1])):
            expressions[str(key)] = {"exp": f"sentence {key}"}
            if split == "valid_u":
                expressions[str(key)] |= {"obj_id": meant, "anno_id": [2 * number + thing for thing in meant]}
        meta[video] = {"vid_id": number, "frames": NAMES, "expressions": expressions}
    write_json(home / "meta_expressions.json", {"videos": meta})
    if split == "valid_u":
        masks = [codes(masks) for number in range(len(VIDEOS)) for masks in things(number)]
        write_json(home / "mask_dict.json", {str(key): row for key, row in enumerate(masks)})
    return root


def youtube(root: Path, folder: str = "refytvos", test: Sequence[str] = ()) -> Path:
    """Ref-YouTube-VOS; `test`: videos that the table of the test split has, too."""
    home = root / folder
    meta: dict[str, Any] = {}
    for number, video in reversed(list(enumerate((*VIDEOS, *test)))):
        write_frames(home / "valid" / "JPEGImages" / video, number)
        meta[video] = {"frames": NAMES, "expressions": {str(key): {"exp": f"sentence {key}"} for key in range(2)}}
    write_json(home / "meta_expressions" / "valid" / "meta_expressions.json", {"videos": meta})
    if test:
        others = {"videos": {video: meta[video] for video in test}}
        write_json(home / "meta_expressions" / "test" / "meta_expressions.json", others)
    return root


def davis(root: Path, *, pictures: bool = False) -> Path:
    """Ref-DAVIS17: eight sentences a video, four annotators for each thing; `pictures`: with its annotation pictures."""
    home = root / "davis17"
    meta: dict[str, Any] = {}
    rows: dict[str, Any] = {}
    for number, video in enumerate(VIDEOS):
        write_frames(home / "valid" / "JPEGImages" / video, number)
        expressions = {str(key): {"exp": f"thing {key // 4} by {key % 4}", "obj_id": str(key // 4 + 1)} for key in range(8)}
        meta[video] = {"frames": NAMES, "expressions": expressions}
        for key in sorted(expressions):
            rows[str(len(rows))] = codes(things(number)[int(key) // 4])
        if pictures:
            write_labels(home / "valid" / "Annotations" / video, number)
    write_json(home / "meta_expressions" / "valid" / "meta_expressions.json", {"videos": dict(reversed(meta.items()))})
    (home / "valid" / "mask_dict.pkl").write_bytes(pickle.dumps(rows))
    return root


def write_labels(folder: Path, video: int) -> None:
    """Numbered things as palette pictures; a strip on the left is void."""
    folder.mkdir(parents=True)
    masks = things(video)
    for t, name in enumerate(NAMES):
        labels = (masks[0, t] + 2 * masks[1, t]).astype(np.uint8)
        labels[:, :2] = 255
        picture = Image.fromarray(labels).convert("P")
        picture.putpalette([channel for label in range(256) for channel in (label, 0, 255 - label)])
        picture.save(folder / f"{name}.png")


def revos(root: Path) -> Path:
    """ReVOS: names with slashes; a referring, a reasoning and a meaningless sentence for each video."""
    home = root / "ReVOS"
    meta: dict[str, Any] = {}
    rows: dict[str, Any] = {}
    for number, video in enumerate((f"LVVIS/train/{VIDEOS[0]}", f"TAO/{VIDEOS[1]}")):
        write_frames(home / "JPEGImages" / video, number)
        expressions = {
            str(key): {
                "exp": f"sentence {key}",
                "obj_id": meant,
                "anno_id": [2 * number + thing for thing in meant],
                "type_id": key,
            }
            for key, meant in enumerate(([0], [0, 1], []))
        }
        meta[video] = {"vid_id": number, "frames": NAMES, "expressions": expressions, "height": HEIGHT, "width": WIDTH}
        rows |= {str(2 * number + thing): codes(things(number)[thing]) for thing in range(2)}
    write_json(home / "meta_expressions_valid_.json", {"videos": meta})
    write_json(home / "mask_dict.json", rows)
    return root


def reason_vos(root: Path) -> Path:
    """ReasonVOS: a list of expressions, numbered anew for each thing; the still thing is annotated in every other frame."""
    home = root / "ReasonVOS"
    meta: dict[str, Any] = {}
    for number, video in enumerate(VIDEOS):
        write_frames(home / "JPEGImages" / video, number)
        expressions = [
            {"exp_id": key, "exp_text": f"sentence {key} of {thing}", "obj_id": str(thing + 1), "is_sent": key == 1}
            for thing in range(2)
            for key in range(2)
        ]
        meta[video] = {"source": "mose", "frames": NAMES, "expressions": expressions}
        for thing, masks in enumerate(things(number)):
            folder = home / "Annotations" / f"mose_{video}_{thing + 1}"
            folder.mkdir(parents=True)
            for t in range(0, FRAMES, 1 + thing):
                Image.fromarray(masks[t] * np.uint8(255)).save(folder / f"{NAMES[t]}.png")
    write_json(home / "meta_expressions.json", {"videos": meta})
    return root


WRITERS: dict[str, Callable[[Path], Path]] = {
    "mevis": mevis,
    "mevis-test": lambda root: mevis(root, "valid"),
    "ref-youtube-vos": youtube,
    "ref-davis17": davis,
    "revos": revos,
    "reason-vos": reason_vos,
}
PUBLIC = [name for name in WRITERS if name not in ("mevis-test", "ref-youtube-vos")]  # with masks


def answer(dataset: Dataset, folder: Path) -> Path:
    """Writes a mask for every frame that a prediction is wanted for: the true one, or a box where the truth is hidden."""
    for place, name, mask in _answers(dataset):
        (folder / place).mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask * np.uint8(255)).save(folder / place / f"{name}.png")
    return folder


def _answers(dataset: Dataset) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    box = np.zeros((HEIGHT, WIDTH), bool)
    box[8:20, 8:30] = True
    for sample in (dataset[index] for index in range(len(dataset))):
        for expression in sample.expressions:
            for t, name in enumerate(sample.frame_names):
                known = box if dataset.archive is not None else expression.truth[t]
                yield sample.folder(expression), name, np.zeros_like(box) if known is None else known
