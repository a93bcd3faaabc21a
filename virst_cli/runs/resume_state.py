"""state.safetensors: what tracking remembers at the end of a chunk, so that an interrupted run can continue from there.

The file is in the run folder while the run is under way. It carries the run's key, and is deleted when the run is finished.
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from virst_cli.files.atomic import partial, replacing, writing

NAME = "state.safetensors"


def save_state(folder: Path, key: str, tensors: dict[str, Tensor]) -> None:
    """Replaces the state in a run folder, in one step. key: of the run."""
    path = folder / NAME
    with writing(path), replacing(path) as new:
        new.write_bytes(save(tensors, metadata={"key": key}))


def load_state(folder: Path, key: str) -> dict[str, Tensor] | None:
    """The state of the run with that key; None where there is none, it is damaged, or it belongs to another run."""
    try:
        with safe_open(folder / NAME, "pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            # copied: in the file they lie at any address, and kernels round differently at one that is not aligned
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  not a dict
    except (FileNotFoundError, SafetensorError, OSError):
        return None


def delete_state(folder: Path) -> None:
    """Deletes the state, when its run is finished or starts again."""
    for path in (folder / NAME, partial(folder / NAME)):
        path.unlink(missing_ok=True)
