"""The request of a run as run.json holds it, and the key that is the same for requests with the same masks.

    video       path, bytes, mtime_ns (`file_identity`), size [H, W] as displayed, rate "num/den", start and end in seconds
    sentences   in the order in which masks.jsonl holds their masks
    model       name, sha256
    settings    everything else that can change a mask: device, dtype, chunk, faithful
    ...         other information, such as versions, which is not part of the key

Requests that agree in the first four parts give the same masks. The hash of these parts is the key: the frames of an interrupted
run are reused only for a request with the same key.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
KEY_PARTS = ("video", "sentences", "model", "settings")
RECORD_PARTS = ("schema_version", "key", "frames", "found")  # added by the record, so a request must not have them


def file_identity(video: Path) -> dict[str, Any]:
    """Path, size in bytes and time of the last change of a video; for a folder of frames, sum and maximum over its files."""
    files = sorted(f for f in video.iterdir() if f.is_file()) if video.is_dir() else [video]
    stats = [file.stat() for file in files]
    return {
        "path": str(video.absolute()),
        "bytes": sum(stat.st_size for stat in stats),
        "mtime_ns": max((stat.st_mtime_ns for stat in stats), default=0),
    }


def request_key(request: Mapping[str, Any]) -> str:
    """The key of a request: a sha256 of all its parts that can change a mask.

    Raises `ValueError` if one of these parts is missing, or if the request has a part that the record adds itself.
    """
    missing = [part for part in KEY_PARTS if part not in request]
    taken = [part for part in RECORD_PARTS if part in request]
    if missing or taken:
        raise ValueError(f"a request needs {', '.join(KEY_PARTS)}; missing: {missing}; added by the record: {taken}")
    parts = {"schema_version": SCHEMA_VERSION} | {part: request[part] for part in KEY_PARTS}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def run_json(run: Mapping[str, Any]) -> str:
    """The text of run.json, indented, with the keys in the given order."""
    return json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
