"""Weights are checked against their manifest before they are used; large ones once, until one of their files changes.

Reading 15 GB for their sha256 takes longer than many a run, so what was checked is noted, with size and time of change.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from virst_cli.checkpoints.find import home
from virst_cli.checkpoints.manifest import verify_folder
from virst_cli.checkpoints.sizes import SMALL_MODEL_BYTES


def verify_once(folder: Path) -> None:
    """Raises WeightsError, as `verify` does, before a byte of damaged weights is used."""
    facts = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(folder.iterdir()) if path.is_file()}
    note = home() / "verified" / (hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16] + ".json")
    large = sum(size for size, _ in facts.values()) > SMALL_MODEL_BYTES
    if large:
        with suppress(OSError, ValueError):
            if json.loads(note.read_text()) == facts:
                return
    verify_folder(folder)
    if large:
        with suppress(OSError):  # a home that can't be written costs the same check next time
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(facts))
