"""The version of virst, and the versions of everything that decides about the masks of a run.

`__version__` is the one place where the version is written: the package's metadata, `virst --version` and the records of runs all
take it from here.
"""

import platform

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    """The versions that run.json records: of virst, torch and Python."""
    import torch

    return {"virst": __version__, "torch": torch.__version__, "python": platform.python_version()}
