"""A small run, which is written and read by the tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from virst_cli.outputs.record_writer import RecordWriter

SENTENCES = ["the dog that jumps last", "the cat"]
HEIGHT, WIDTH = 11, 17
Masks = Callable[[int], np.ndarray]


@pytest.fixture
def recorded_request() -> dict[str, Any]:
    """A request as run.json holds it: two sentences about a tiny video."""
    return {
        "video": {"path": "/v/clip.mp4", "bytes": 1, "mtime_ns": 2, "size": [HEIGHT, WIDTH], "rate": "24000/1001"},
        "sentences": SENTENCES,
        "model": {"name": "virst-nano", "sha256": "0" * 64},
        "settings": {"chunk": 256},
        "versions": {"virst": "0"},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run folder, which does not exist yet."""
    return tmp_path / "clip.virst"


@pytest.fixture
def masks_of() -> Masks:
    """Frame number -> two masks: a moving box, and one that is empty except in frame 3."""

    def masks(index: int) -> np.ndarray:
        made = np.zeros((2, HEIGHT, WIDTH), np.bool_)
        made[0, 2:6, index % 10 : index % 10 + 4] = True
        made[1, 0, 0] = index == 3
        return made

    return masks


@pytest.fixture
def add(masks_of: Masks) -> Callable[[RecordWriter, int], None]:
    """Appends frames to a record until it holds a number of frames."""

    def append(writer: RecordWriter, until: int) -> None:
        for index in range(writer.frames_done, until):
            writer.append(index, index / 24, masks_of(index), [1.5, -index / 3])

    return append


@pytest.fixture
def run(folder: Path, recorded_request: dict[str, Any], add: Callable[[RecordWriter, int], None]) -> Path:
    """A finished run of six frames."""
    with RecordWriter.open(folder, recorded_request, overwrite=False, resume=False) as writer:
        add(writer, 6)
        writer.finish({"timings": {"total": 1.0}, "files": []})
    return folder
