"""Where models are: the one that comes with the tool, imported ones, those from the Hub, and folders that the user names."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints.manifest import CONFIG
from virst_cli.checkpoints.pins import HubName, Pins, downloaded
from virst_cli.checkpoints.registry import EMBEDDED, PUBLISHED
from virst_cli.errors import WeightsError


@dataclass(frozen=True)
class ChosenModel:
    """A model that is here. reason: why it and no other, for people."""

    name: str
    path: Path
    reason: str


def home() -> Path:
    """Folder of everything that the tool keeps: `$VIRST_HOME`, else the platform's data folder."""
    if chosen := os.environ.get("VIRST_HOME"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("virst", appauthor=False)


def imported(name: str) -> Path:
    """Where a model of that name is kept, whether or not it is there."""
    return home() / "models" / name


def embedded() -> Path:
    """The model that comes with the tool: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "weights" / EMBEDDED
    return inside if inside.is_dir() else package.parent / "weights" / EMBEDDED


def installed() -> list[tuple[str, Path]]:
    """Names and folders of all models on this machine, best first: the larger, the better, and the embedded one last."""
    found = sorted(_others(), key=lambda model: (-folder_bytes(model[1]), model[0]))
    return found + [(EMBEDDED, embedded())] if (embedded() / CONFIG).is_file() else found


def folder_bytes(folder: Path) -> int:
    """Bytes of all files of a model."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def choose_model(name: str | None = None) -> ChosenModel:
    """A model that is here: by name, by path, or without either the best. Raises WeightsError that says how to get it."""
    if name is None:
        return _best()
    if (found := _here(name)) is not None:
        return ChosenModel(name, found, "as asked for")
    if name in PUBLISHED:
        raise WeightsError(f"{name} is not on this machine; get it with `{PUBLISHED[name].pull_command}`")
    if HubName.parse(name):
        raise WeightsError(f"{name} is not on this machine; if it is a model on the Hub, get it with `virst weights pull {name}`")
    known = ", ".join(model for model, _ in installed())
    raise WeightsError(f"there is no model {name!r} here, neither by name ({known}) nor as a folder; see `virst weights list`")


def find_model(name: str | None = None) -> Path:
    """The folder of a model, as `choose` finds it; one on the Hub that is not here is downloaded.

    Raises WeightsError that says how to get it.
    """
    if name is not None and _here(name) is None and (hub := HubName.parse(name)) is not None:
        from virst_cli.checkpoints.download import pull_model

        return pull_model(hub)
    return choose_model(name).path


def _here(name: str) -> Path | None:
    if name == EMBEDDED and embedded().is_dir():
        return embedded()
    if (imported(name) / CONFIG).is_file() and not Path(name).is_absolute():
        return imported(name)
    if (Path(name) / CONFIG).is_file():
        return Path(name)
    hub = HubName.parse(name)
    return Pins(hub.repository).whole(hub.revision) if hub is not None else None


def _best() -> ChosenModel:
    models = installed()
    if not models:
        raise WeightsError("no model is installed; install virst again, or get one with `virst weights pull`")
    name, folder = models[0]
    return ChosenModel(name, folder, "the only one here" if len(models) == 1 else f"the largest of {len(models)} here")


def _others() -> Iterator[tuple[str, Path]]:
    folder = home() / "models"
    if folder.is_dir():
        yield from ((path.name, path) for path in folder.iterdir() if (path / CONFIG).is_file())
    yield from ((str(name), path) for name, path in downloaded() if (path / CONFIG).is_file())
