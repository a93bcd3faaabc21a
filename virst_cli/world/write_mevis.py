"""Writes synthetic clips in the layout of the MeViS data set, for any program that reads MeViS.

    FOLDER/mevis/SPLIT/JPEGImages/VIDEO/00000.jpg ...
    FOLDER/mevis/SPLIT/meta_expressions.json
        {"videos": {VIDEO: {"vid_id", "frames", "expressions": {ID: {"exp", "obj_id", "anno_id"}}}}}
    FOLDER/mevis/SPLIT/mask_dict.json
        {ANNO_ID: [RLE or null for every frame]}

An annotation is a thing of a video. The mask of an expression is the union of its annotations, of which there may be none.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from virst_cli.errors import OutputError, UsageError
from virst_cli.outputs.rle import Rle, encode
from virst_cli.world.clip import make_clip

SENTENCES = 6  # per video
QUALITY = 95  # of the JPEG frames


def clip_key(seed: int, number: int) -> tuple[int, ...]:
    """The seed of clip `number` of a written data set; no training batch has it, whatever its seed."""
    return (seed, number, 0, 0, 2)  # numpy pads short keys with zeros, so the last one must not be zero


def write_mevis(
    folder: Path,
    *,
    videos: int,
    seed: int,
    size: tuple[int, int] = (128, 128),
    frames: int = 16,
    split: str = "valid_u",
) -> None:
    """Write clips under `folder`/mevis/`split`. Expressions also have a `type`, which those of MeViS do not have.

    videos: number of clips.
    size: width and height in pixels.
    frames: per clip.
    Raises OutputError if the split exists already, UsageError if there is nothing to write.
    """
    if videos < 1:
        raise UsageError("--videos must be at least 1")
    root = folder / "mevis" / split
    if (root / "meta_expressions.json").exists():
        raise OutputError(f"{root} already holds a data set; choose another folder or remove it")
    meta: dict[str, Any] = {}
    masks: dict[str, list[Rle | None]] = {}
    for number in range(videos):
        clip = make_clip(np.random.default_rng(clip_key(seed, number)), frames=frames, size=size, sentences=SENTENCES)
        name, first = f"world{number:05d}", len(masks)
        _write_frames(root / "JPEGImages" / name, clip.frames)
        for i in range(len(clip.things)):
            masks[str(first + i)] = [encode(ids == i + 1) if (ids == i + 1).any() else None for ids in clip.ids]
        expressions = {
            str(k): {
                "exp": s.text,
                "obj_id": list(s.targets),
                "anno_id": [first + i for i in s.targets],
                "type": s.type,
            }
            for k, s in enumerate(clip.sentences)
        }
        meta[name] = {"vid_id": number, "frames": [f"{t:05d}" for t in range(frames)], "expressions": expressions}
    (root / "mask_dict.json").write_text(json.dumps(masks), encoding="utf-8")
    (root / "meta_expressions.json").write_text(json.dumps({"videos": meta}, indent=1), encoding="utf-8")


def _write_frames(folder: Path, frames: npt.NDArray[np.uint8]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"{t:05d}.jpg", quality=QUALITY)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}; choose another folder") from error
