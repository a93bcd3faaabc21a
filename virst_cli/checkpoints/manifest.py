"""Writes and checks manifest.json, which has the sha256 and size of every file of a model folder."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
MANIFEST = "manifest.json"
READ_BYTES = 1 << 20  # bytes read at a time


def sha256(path: Path) -> str:
    """The sha256 of a file, as hexadecimal digits. The file is read a piece at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def manifest_text(folder: Path, *, name: str, source: Mapping[str, Any]) -> str:
    """The text of manifest.json for the files that are in a folder now.

    name: of the model.
    source: what the model was made from, for people.
    """
    files = {
        path.name: {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST and not path.name.startswith(".")
    }
    return json.dumps({"schema_version": 1, "name": name, "source": source, "files": files}, indent=1) + "\n"


def verify_folder(folder: Path) -> None:
    """Compares every file with manifest.json. Raises WeightsError naming the file, what was expected and what was found."""
    listed = listed_files(folder)
    for name, facts in listed.items():
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path} is missing; {repair_hint(folder)}")
        if (size := path.stat().st_size) != facts["bytes"]:
            raise WeightsError(f"{path} is damaged: expected {facts['bytes']} bytes, got {size}; {repair_hint(folder)}")
        if (digest := sha256(path)) != facts["sha256"]:
            raise WeightsError(f"{path} is damaged: expected sha256 {facts['sha256']}, got {digest}; {repair_hint(folder)}")
    if unlisted := sorted(path.name for path in folder.glob("*.safetensors") if path.name not in listed):
        raise WeightsError(f"{folder / MANIFEST} does not list {', '.join(unlisted)}; {repair_hint(folder)}")


def weight_sums(folder: Path) -> dict[str, str]:
    """File name -> sha256 of every file that a model's masks depend on, as the manifest has it."""
    return {name: facts["sha256"] for name, facts in listed_files(folder).items() if not name.endswith(".md")}


def listed_files(folder: Path) -> dict[str, dict[str, Any]]:
    """File name -> {"sha256", "bytes"}, as the manifest has it. Raises WeightsError for a missing or invalid manifest."""
    path = folder / MANIFEST
    try:
        files: dict[str, dict[str, Any]] = json.loads(path.read_text())["files"]
        for name, facts in files.items():
            if Path(name).name != name or not {"sha256", "bytes"} <= facts.keys():
                raise ValueError(f"entry {name!r}")
        return files
    except FileNotFoundError:
        raise WeightsError(f"{folder} has no {MANIFEST} and can't be verified; {repair_hint(folder)}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path} is not a valid manifest ({error}); {repair_hint(folder)}") from None
