"""What to do when a model folder is damaged, which depends on where it came from."""

from pathlib import Path


def repair_hint(folder: Path) -> str:
    """The end of an error message about a damaged model folder: the command that repairs it.

    >>> repair_hint(Path("hub/models--someone--virst/snapshots/0123"))
    'download it again with `virst weights pull someone/virst`'
    """
    if folder.parent.name == "snapshots":  # in the Hub's cache
        repository = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return f"download it again with `virst weights pull {repository}`"
    if folder.parent.name == "weights":  # in this package
        return "install virst again"
    return "import it again with `virst weights import`"
