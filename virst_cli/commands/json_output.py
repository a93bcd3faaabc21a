"""What `--json` prints: the object of a run, and any object as a line."""

import codecs
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1


def run_summary(folder: Path, run: dict[str, Any], files: Sequence[Path], *, warning: str | None) -> dict[str, Any]:
    """The JSON object of a finished run.

    folder: the run folder.
    run: the contents of run.json.
    files: all files in the run folder.
    warning: why frames are missing, or None if the video was complete.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "run": str(folder),
        "video": run["video"],
        "model": run["model"],
        "settings": run["settings"],
        "frames": run["frames"],
        "expected_frames": run["expected_frames"],
        "found": any(run["found"]),
        "sentences": [{"text": text, "found": found} for text, found in zip(run["sentences"], run["found"], strict=True)],
        "warning": warning,
        "timings": run["timings"],
        "peak_memory_bytes": run["peak_memory_bytes"],
        "files": [str(path) for path in files],
    }


def json_line(value: Mapping[str, Any]) -> str:
    """A JSON object on one line. Letters stay as they are where stdout is UTF-8, and are escaped as ASCII elsewhere."""
    return json.dumps(value, ensure_ascii=codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8")
