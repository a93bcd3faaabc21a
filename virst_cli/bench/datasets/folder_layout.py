"""Finds the folder of a data set, either below a folder of data sets or as given, and says in one line what is missing."""

from dataclasses import dataclass
from pathlib import Path

from virst_cli.errors import UsageError
from virst_cli.files.shown import listed, shown

LISTED = 8  # names that a message lists of what was found instead


@dataclass(frozen=True)
class FolderLayout:
    """How a data set is laid out once it is unpacked, and where it can be downloaded.

    title: its name for people.
    folders: its possible folders below a folder of data sets, the published one first.
    tables: files that must be in its folder.
    pictures: what else belongs there, for messages.
    source: a web page that says how to get it.
    """

    title: str
    folders: tuple[str, ...]
    tables: tuple[str, ...]
    pictures: str
    source: str

    def find(self, root: Path | None) -> Path:
        """Finds the data set's folder: the root itself or one below it. Raises `UsageError` when a table is missing."""
        if root is None:
            raise UsageError(f"{self.title} needs the data set's folder: {self._expected('DIR')} or VIRST_DATA")
        for folder in [*(root / name for name in self.folders), root]:
            if (folder / self.tables[0]).is_file():
                lacking = " and ".join(table for table in self.tables if not (folder / table).is_file())
                if not lacking:
                    return folder
                raise UsageError(f"{shown(folder)} lacks {lacking}; found there: {_names(folder)}; get it from {self.source}")
        raise UsageError(
            f"{shown(root)} does not contain {self.title}; found there: {_names(root)}; {self._expected(shown(root))}"
        )

    def _expected(self, root: str) -> str:
        """Which files are expected, and where to get them, for a message."""
        first, *others = self.folders
        alternatives = " or ".join((*others, "the folder itself"))
        expected = f"{root}/{first}/{', '.join((*self.tables, self.pictures))} (or {alternatives} with these)"
        return f"expected {expected}; get it from {self.source}, then give its folder with --root"


def _names(folder: Path) -> str:
    """The names in a folder, for a message."""
    try:
        names = sorted(shown(Path(path.name)) + "/" * path.is_dir() for path in folder.iterdir() if path.name[0] != ".")
    except OSError as error:
        return f"nothing ({error.strerror})"
    return listed(names, LISTED) or "nothing"
