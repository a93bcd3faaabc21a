"""Finds models by name: the one that comes with the tool, imported ones, those from the Hub, and folders that the user names."""

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
    """A model on this machine. reason: why it was chosen, for a message."""

    name: str
    path: Path
    reason: str


def home() -> Path:
    """The folder in which the tool keeps its files: `$VIRST_HOME`, else the platform's data folder."""
    if chosen := os.environ.get("VIRST_HOME"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("virst", appauthor=False)


def import_folder(name: str) -> Path:
    """The folder of an imported model of that name, whether or not it exists."""
    return home() / "models" / name


def embedded() -> Path:
    """The folder of the model that comes with the tool: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "weights" / EMBEDDED
    return inside if inside.is_dir() else package.parent / "weights" / EMBEDDED


def installed() -> list[tuple[str, Path]]:
    """Names and folders of all models on this machine, best first: a larger one is better, and the embedded one is last."""
    found = sorted(_imported_and_downloaded(), key=lambda model: (-folder_bytes(model[1]), model[0]))
    return found + [(EMBEDDED, embedded())] if (embedded() / CONFIG).is_file() else found


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a model folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def choose_model(name: str | None = None) -> ChosenModel:
    """A model on this machine: by name or by path, or the best one if neither is given.

    Raises WeightsError that says how to get it if it is not here.
    """
    if name is None:
        return _best()
    if (folder := _folder_of(name)) is not None:
        return ChosenModel(name, folder, "as asked for")
    raise _not_here(name)


def find_model(name: str | None = None) -> Path:
    """The folder of a model, as `choose_model` finds it; a model on the Hub is downloaded if it is not here.

    Raises WeightsError that says how to get it.
    """
    if name is None:
        return _best().path
    if (folder := _folder_of(name)) is not None:
        return folder
    if (hub := HubName.parse(name)) is not None:
        from virst_cli.checkpoints.download import pull_model

        return pull_model(hub)
    raise _not_here(name)


def name_for_workers(name: str | None) -> str:
    """What `--model` has to be in other processes, which may have another working directory or other models.

    A folder becomes its absolute path, a name stays as it is, and None becomes the name of the best model here. Raises as
    `choose_model`.
    """
    chosen = choose_model(name)
    return str(chosen.path.absolute()) if name is not None and Path(name).is_dir() else chosen.name


def _folder_of(name: str) -> Path | None:
    if name == EMBEDDED and embedded().is_dir():
        return embedded()
    if (import_folder(name) / CONFIG).is_file() and not Path(name).is_absolute():
        return import_folder(name)
    if (Path(name) / CONFIG).is_file():
        return Path(name)
    hub = HubName.parse(name)
    return Pins(hub.repository).complete_folder(hub.revision) if hub is not None else None


def _not_here(name: str) -> WeightsError:
    if name in PUBLISHED:
        return WeightsError(f"{name} is not on this machine; get it with `{PUBLISHED[name].pull_command}`")
    if HubName.parse(name):
        return WeightsError(
            f"{name} is not on this machine; if it is a model on the Hub, download it with `virst weights pull {name}`"
        )
    known = ", ".join(model for model, _ in installed())
    return WeightsError(f"{name!r} is neither a model on this machine ({known}) nor a model folder; see `virst weights list`")


def _best() -> ChosenModel:
    models = installed()
    if not models:
        raise WeightsError("no model is installed; install virst again, or get one with `virst weights pull`")
    name, folder = models[0]
    return ChosenModel(name, folder, "the only one here" if len(models) == 1 else f"the largest of {len(models)} here")


def _imported_and_downloaded() -> Iterator[tuple[str, Path]]:
    folder = home() / "models"
    if folder.is_dir():
        yield from ((path.name, path) for path in folder.iterdir() if (path / CONFIG).is_file())
    yield from ((str(name), path) for name, path in downloaded() if (path / CONFIG).is_file())
