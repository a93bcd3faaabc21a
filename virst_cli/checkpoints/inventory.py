"""Lists, verifies and removes what is on this machine: models, and downloaded parts of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints import manifest
from virst_cli.checkpoints.find import choose_model, embedded, folder_bytes, import_folder, installed
from virst_cli.checkpoints.manifest import CONFIG
from virst_cli.checkpoints.pins import HubName, Pins, cache, downloaded
from virst_cli.checkpoints.registry import EMBEDDED, EMBEDDED_IS_GOOD_FOR, PUBLISHED, Published, part_of
from virst_cli.errors import UsageError, WeightsError
from virst_cli.files.atomic import remove, writing


@dataclass(frozen=True)
class Installed:
    """A model, or a part of one, on this machine. bytes: of all its files."""

    name: str
    path: Path
    bytes: int
    good_for: str


def models() -> Iterator[Installed]:
    """The models on this machine, best first."""
    for name, path in installed():
        yield Installed(name, path, folder_bytes(path), EMBEDDED_IS_GOOD_FOR if path == embedded() else _good_for(path))


def parts() -> Iterator[Installed]:
    """The downloaded parts of published models."""
    for name, path in downloaded():
        if (model := part_of(name.repository)) is not None:
            yield Installed(str(name), path, folder_bytes(path), f"a part of {model.name}, used by `virst weights import` only")


def absent() -> list[Published]:
    """Published models that are not on this machine."""
    return [model for name, model in PUBLISHED.items() if not (import_folder(name) / CONFIG).is_file()]


def verify_model(name: str) -> Path:
    """Compares every file of a model or part with its sha256. Returns its folder.

    Raises WeightsError naming the file, what was expected and what was found.
    """
    folder, hub = choose_model(name).path, HubName.parse(name)
    if hub is not None and (pins := Pins(hub.repository)).complete_folder(hub.revision) == folder:
        pins.verify(hub.revision)
    else:
        manifest.verify_folder(folder)
    return folder


def new_place(name: str) -> Path:
    """The folder for a new model of that name. Raises UsageError if the name is invalid or taken."""
    _check_name(name)
    if import_folder(name).exists() or name == EMBEDDED:
        raise UsageError(
            f"a model named {name!r} exists already; choose another --name, or remove it with `virst weights rm {name} --yes`"
        )
    return import_folder(name)


class Removal:
    """A model or downloaded part that is to be removed. path, bytes: its folder and the size of all its files."""

    def __init__(self, name: str) -> None:
        """Raises WeightsError if nothing of that name was imported or downloaded, UsageError if the name is invalid."""
        self._hub = HubName.parse(name)
        if self._hub is not None:
            pins = Pins(self._hub.repository)
            folder = pins.complete_folder(self._hub.revision)
        else:
            _check_name(name)
            folder = import_folder(name) if (import_folder(name) / CONFIG).is_file() else None
        if folder is None:
            raise WeightsError(f"no model named {name!r} was imported or downloaded; see `virst weights list`")
        self.path, self.bytes = folder, folder_bytes(folder)

    def execute(self) -> None:
        """Removes it. Files that other revisions of the same repository use stay. Raises OutputError if that fails."""
        if self._hub is None:
            with writing(self.path):
                remove(self.path)
            return
        from huggingface_hub import scan_cache_dir

        pins = Pins(self._hub.repository)
        with writing(pins.folder):
            scan_cache_dir(cache()).delete_revisions(pins.commit(self._hub.revision)).execute()
            pins.remove(self._hub.revision)


def _check_name(name: str) -> None:
    """Raises UsageError for a name that would lead out of the folder of models."""
    if not name or Path(name).name != name or name.startswith(".") or not name.isprintable():
        raise UsageError(f"{name!r} can't be the name of a model; use letters, digits and dashes")


def _good_for(path: Path) -> str:
    """What a model is good for, by the name in its configuration."""
    try:
        kind = str(json.loads((path / CONFIG).read_text())["name"])
    except (OSError, ValueError, KeyError, TypeError):
        kind = ""
    if kind == EMBEDDED:
        return EMBEDDED_IS_GOOD_FOR
    return PUBLISHED[kind].good_for if kind in PUBLISHED else "the data that it was trained on"
