"""What helps when a model folder is damaged: it depends on where the folder came from."""

from pathlib import Path


def repair_hint(folder: Path) -> str:
    """The end of an error message.

    >>> repair_hint(Path("hub/models--someone--virst/snapshots/0123"))
    'fetch it again with `virst weights pull someone/virst`'
    """
    if folder.parent.name == "snapshots":  # of the Hub's cache
        repository = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return f"fetch it again with `virst weights pull {repository}`"
    if folder.parent.name == "weights":  # of this package
        return "install virst again"
    return "import it again with `virst weights import`"
