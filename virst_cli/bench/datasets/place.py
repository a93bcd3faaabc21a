"""Where a data set lies: below a folder of data sets, or at its own folder. What is not there is said in one line."""

from dataclasses import dataclass
from pathlib import Path

from virst_cli.errors import UsageError
from virst_cli.files.shown import listed, shown

LISTED = 8  # names of what was found instead


@dataclass(frozen=True)
class Place:
    """How a data set is laid out where it was unpacked, and where it comes from."""

    title: str
    folders: tuple[str, ...]  # that it may have below a folder of data sets, the published one first
    tables: tuple[str, ...]  # files that must be in it
    pictures: str  # what else it holds, for people
    source: str  # a page that says how to get it

    def find(self, root: Path | None) -> Path:
        """The data set's folder: the root itself or one below it. Raises `UsageError` when a table is missing."""
        if root is None:
            raise UsageError(f"{self.title} has to be on disk: {self._layout('DIR')} or VIRST_DATA")
        for folder in [*(root / name for name in self.folders), root]:
            if (folder / self.tables[0]).is_file():
                lacking = " and ".join(table for table in self.tables if not (folder / table).is_file())
                if not lacking:
                    return folder
                raise UsageError(f"{shown(folder)} lacks {lacking}; found there: {_names(folder)}; get it from {self.source}")
        raise UsageError(f"no {self.title} under {shown(root)}; found there: {_names(root)}; {self._layout(shown(root))}")

    def _layout(self, root: str) -> str:
        """What is expected, and where to get it, for a message."""
        first, *others = self.folders
        places = " or ".join((*others, "the folder itself"))
        expected = f"{root}/{first}/{', '.join((*self.tables, self.pictures))} (or {places} with these)"
        return f"expected {expected}; get it from {self.source}, then name its folder with --root"


def _names(folder: Path) -> str:
    """What a folder holds, for a message."""
    try:
        names = sorted(shown(Path(path.name)) + "/" * path.is_dir() for path in folder.iterdir() if path.name[0] != ".")
    except OSError as error:
        return f"nothing ({error.strerror})"
    return listed(names, LISTED) or "nothing"
