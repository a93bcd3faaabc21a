"""Which models are on this machine, and what each is good for; models come and go under their names here."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints.store import CONFIG, EMBEDDED, PUBLISHED, imported, installed
from virst_cli.errors import UsageError, WeightsError
from virst_cli.outputs.files import remove, writing

GOOD_FOR = {
    EMBEDDED: "trying the tool out: it knows only its synthetic world of sprites",
    PUBLISHED: "real videos: the published model",
}


@dataclass(frozen=True)
class Installed:
    """A model that is here. bytes: of all its files."""

    name: str
    path: Path
    bytes: int
    good_for: str


def models() -> Iterator[Installed]:
    """The models on this machine, best first."""
    for path in installed():
        size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        yield Installed(
            path.name, path, size, GOOD_FOR.get(path.name) or GOOD_FOR.get(_kind(path), "whatever it was trained for")
        )


def new_place(name: str) -> Path:
    """Where a model of that name is to be put. Raises UsageError where there is one, or the name is none."""
    _check(name)
    if imported(name).exists() or name == EMBEDDED:
        raise UsageError(f"there is a model {name!r} already; choose another --name, or `virst weights rm {name}`")
    return imported(name)


def remove_imported(name: str, *, really: bool) -> Path:
    """Deletes an imported model. Raises UsageError without `really`, and for the model that comes with the tool."""
    _check(name)
    path = imported(name)
    if not (path / CONFIG).is_file():
        raise WeightsError(f"no model {name!r} was imported here; see `virst weights list`")
    if not really:
        raise UsageError(f"{path} would be removed; add --yes to do it")
    with writing(path):
        remove(path)
    return path


def _check(name: str) -> None:
    """Raises UsageError for a name that would lead out of the folder of models."""
    if not name or Path(name).name != name or name.startswith(".") or not name.isprintable():
        raise UsageError(f"{name!r} is no name for a model; use letters, digits and dashes")


def _kind(path: Path) -> str:
    """The name that the model's configuration has."""
    try:
        return str(json.loads((path / CONFIG).read_text())["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
