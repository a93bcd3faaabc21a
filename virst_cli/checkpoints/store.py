"""Where models are: the one that comes with the tool, those that were imported, and folders that the user names."""

import os
from collections.abc import Iterator
from pathlib import Path

from virst_cli.errors import WeightsError

EMBEDDED = "virst-nano"
PUBLISHED = "virst-7b"
CONFIG = "config.json"


def home() -> Path:
    """Folder of everything that the tool keeps: `$VIRST_HOME`, else the platform's data folder."""
    if chosen := os.environ.get("VIRST_HOME"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("virst", appauthor=False)


def imported(name: str) -> Path:
    """Where a model of that name is kept, whether or not it is there."""
    return home() / "models" / name


def installed() -> Iterator[Path]:
    """Folders of all models on this machine, best first: imported ones, then the embedded one."""
    folder = home() / "models"
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if (path / CONFIG).is_file())
    if (embedded() / CONFIG).is_file():
        yield embedded()


def embedded() -> Path:
    """The model that comes with the tool: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "weights" / EMBEDDED
    return inside if inside.is_dir() else package.parent / "weights" / EMBEDDED


def find(name: str | None = None) -> Path:
    """The folder of a model: by name, by path, or without either the best that is installed.

    Raises WeightsError that says how to get it.
    """
    if name is None:
        for folder in installed():
            return folder
        raise WeightsError("no model is installed; install virst again, or import one with `virst weights import`")
    if name == EMBEDDED and embedded().is_dir():
        return embedded()
    if (imported(name) / CONFIG).is_file() and not Path(name).is_absolute():
        return imported(name)
    if (Path(name) / CONFIG).is_file():
        return Path(name)
    if name == PUBLISHED:
        raise WeightsError(f"{name} is not on this machine; get it with `{import_command()}`")
    known = ", ".join(folder.name for folder in installed())
    raise WeightsError(f"there is no model {name!r} here, neither by name ({known}) nor as a folder; see `virst weights list`")


def import_command() -> str:
    """How the published model gets on to this machine."""
    return "virst weights import virst_checkpoint.pt --base VideoChat-Flash-Qwen2-7B_res448 --sam2 sam2.1_hiera_large.pt"
