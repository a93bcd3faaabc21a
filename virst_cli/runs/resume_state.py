"""state.safetensors: what tracking remembers at the end of a chunk, so that an interrupted run goes on from there.

It lies in the run folder while the run goes on, carries the run's key, and is deleted when the run is finished.
"""

import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from virst_cli.files.atomic import partial, writing

NAME = "state.safetensors"


def save_state(folder: Path, key: str, tensors: dict[str, Tensor]) -> None:
    """Puts the state in place of the one before; old or new at any moment, never half."""
    path = folder / NAME
    with writing(path):
        with partial(path).open("wb") as file:
            file.write(save(tensors, metadata={"key": key}))
            file.flush()
            os.fsync(file.fileno())
        partial(path).replace(path)


def load_state(folder: Path, key: str) -> dict[str, Tensor] | None:
    """The state of the run with that key; None where there is none, or one of another run, or one that is damaged."""
    try:
        with safe_open(folder / NAME, "pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            # copied, for in the file they lie at any address, and kernels round differently at one that is not aligned
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  not a dict
    except (FileNotFoundError, SafetensorError, OSError):
        return None


def delete_state(folder: Path) -> None:
    """The run is finished, or begins anew."""
    for path in (folder / NAME, partial(folder / NAME)):
        path.unlink(missing_ok=True)
