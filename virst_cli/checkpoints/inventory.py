"""What is on this machine under which name: models, and downloaded parts of them; and away with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints import manifest
from virst_cli.checkpoints.find import choose_model, embedded, folder_bytes, imported, installed
from virst_cli.checkpoints.manifest import CONFIG
from virst_cli.checkpoints.pins import HubName, Pins, cache, downloaded
from virst_cli.checkpoints.registry import EMBEDDED, EMBEDDED_IS_GOOD_FOR, PUBLISHED, Published, part_of
from virst_cli.errors import UsageError, WeightsError
from virst_cli.files.atomic import remove, writing


@dataclass(frozen=True)
class Installed:
    """A model, or a part of one, that is here. bytes: of all its files."""

    name: str
    path: Path
    bytes: int
    good_for: str


def models() -> Iterator[Installed]:
    """The models on this machine, best first."""
    for name, path in installed():
        yield Installed(name, path, folder_bytes(path), EMBEDDED_IS_GOOD_FOR if path == embedded() else _good_for(path))


def parts() -> Iterator[Installed]:
    """Downloaded parts of published models."""
    for name, path in downloaded():
        if (whole := part_of(name.repository)) is not None:
            yield Installed(str(name), path, folder_bytes(path), f"a part of {whole.name}, used by `virst weights import` only")


def absent() -> list[Published]:
    """Models that are known by name and are not here."""
    return [model for name, model in PUBLISHED.items() if not (imported(name) / CONFIG).is_file()]


def verify_model(name: str) -> Path:
    """The folder of a model or part, every file of it compared with its sha256.

    Raises WeightsError naming the file, what was expected and what was found.
    """
    folder, hub = choose_model(name).path, HubName.parse(name)
    if hub is not None and (pins := Pins(hub.repository)).whole(hub.revision) == folder:
        pins.verify(hub.revision)
    else:
        manifest.verify_folder(folder)
    return folder


def new_place(name: str) -> Path:
    """Where a model of that name is to be put. Raises UsageError where there is one, or the name is none."""
    _check(name)
    if imported(name).exists() or name == EMBEDDED:
        raise UsageError(f"there is a model {name!r} already; choose another --name, or `virst weights rm {name} --yes`")
    return imported(name)


class Removal:
    """What removing a model or a downloaded part would take away."""

    def __init__(self, name: str) -> None:
        """Raises WeightsError where nothing of that name was imported or downloaded, UsageError for a name that is none."""
        self._hub = HubName.parse(name)
        if self._hub is not None:
            pins = Pins(self._hub.repository)
            folder = pins.whole(self._hub.revision)
        else:
            _check(name)
            folder = imported(name) if (imported(name) / CONFIG).is_file() else None
        if folder is None:
            raise WeightsError(f"no model {name!r} was imported or pulled here; see `virst weights list`")
        self.path, self.bytes = folder, folder_bytes(folder)

    def execute(self) -> None:
        """Remove it. What other revisions of the same repository share stays."""
        if self._hub is None:
            with writing(self.path):
                remove(self.path)
            return
        from huggingface_hub import scan_cache_dir

        pins = Pins(self._hub.repository)
        with writing(pins.folder):
            scan_cache_dir(cache()).delete_revisions(pins.commit(self._hub.revision)).execute()
            pins.drop(self._hub.revision)


def _check(name: str) -> None:
    """Raises UsageError for a name that would lead out of the folder of models."""
    if not name or Path(name).name != name or name.startswith(".") or not name.isprintable():
        raise UsageError(f"{name!r} is no name for a model; use letters, digits and dashes")


def _good_for(path: Path) -> str:
    """By the name that the model's configuration has."""
    try:
        kind = str(json.loads((path / CONFIG).read_text())["name"])
    except (OSError, ValueError, KeyError, TypeError):
        kind = ""
    if kind == EMBEDDED:
        return EMBEDDED_IS_GOOD_FOR
    return PUBLISHED[kind].good_for if kind in PUBLISHED else "whatever it was trained for"
