"""What a run was asked, as a dict: the first half of run.json, and all of run.json.partial.

    video       path, bytes, mtime_ns (`identity`), size [H, W] as displayed, rate "num/den", start and end in seconds
    sentences   in the order in which masks.jsonl holds them
    model       name, revision, sha256 ...
    settings    everything that can change a mask: chunk, dtype, device ...
    ...         whatever else is worth knowing (versions, command); it does not tell runs apart

Two runs that agree in the first four give the same masks. Their hash is the key: frames are reused only under the
same key.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
DECIDING = ("video", "sentences", "model", "settings")
RESULT = ("schema_version", "key", "frames", "found")  # set by the record itself


def file_identity(video: Path) -> dict[str, Any]:
    """Which file a video is, without reading it: path, bytes and time of change; of a folder, those of its files."""
    files = sorted(f for f in video.iterdir() if f.is_file()) if video.is_dir() else [video]
    facts = [file.stat() for file in files]
    return {
        "path": str(video.absolute()),
        "bytes": sum(fact.st_size for fact in facts),
        "mtime_ns": max((fact.st_mtime_ns for fact in facts), default=0),
    }


def request_key(manifest: Mapping[str, Any]) -> str:
    """The sha256 that is the same for two runs exactly when their masks must be.

    Raises `ValueError` when a deciding part is missing, or one is there that the record sets itself.
    """
    missing = [part for part in DECIDING if part not in manifest]
    taken = [part for part in RESULT if part in manifest]
    if missing or taken:
        raise ValueError(f"a manifest needs {', '.join(DECIDING)}; missing: {missing}; set by the record: {taken}")
    decided = {"schema_version": SCHEMA_VERSION} | {part: manifest[part] for part in DECIDING}
    text = json.dumps(decided, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def run_json(run: Mapping[str, Any]) -> str:
    """A run as the text of run.json: readable, in the order given."""
    return json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
