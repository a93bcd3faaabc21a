"""Checks weights against their manifest before they are used; a large model only once, until one of its files changes.

Reading 15 GB for their sha256 takes longer than many runs do. So a file under VIRST_HOME records the size and modification time
of every file of a large model that was checked.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from virst_cli.checkpoints.find import home
from virst_cli.checkpoints.manifest import verify_folder
from virst_cli.checkpoints.sizes import SMALL_MODEL_BYTES
from virst_cli.files.atomic import write_text


def verify_once(folder: Path) -> None:
    """Verifies a model folder unless it is large and unchanged since the last time. Raises WeightsError as `verify_folder`."""
    facts = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(folder.iterdir()) if path.is_file()}
    record = home() / "verified" / (hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16] + ".json")
    large = sum(size for size, _ in facts.values()) > SMALL_MODEL_BYTES
    if large:
        with suppress(OSError, ValueError):
            if json.loads(record.read_text()) == facts:
                return
    verify_folder(folder)
    if large:
        with suppress(OSError):  # if the record can't be written, the model is checked again next time
            record.parent.mkdir(parents=True, exist_ok=True)
            write_text(record, json.dumps(facts), shared=True)
