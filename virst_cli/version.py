"""The version of virst, and the versions of what decides about a run's masks."""

import platform

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    """The versions that run.json records: of virst, torch and Python."""
    import torch

    return {"virst": __version__, "torch": torch.__version__, "python": platform.python_version()}
