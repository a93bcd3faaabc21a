"""What was downloaded from the Hub: the commit that a revision stood for at the first download, and the sha256 of every file.

Both are written beside the files, into the repository's folder of the Hub's cache, and hold from then on (trust on first use): a
branch that moves changes nothing here, a byte that changes is found. Nothing here uses the network.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError

NOTE = "virst.json"
SHAPE = re.compile(r"(?!.*\.\.)(\w[\w.-]*/\w[\w.-]*?)(?:@(\w[\w./-]*))?", re.ASCII)  # owner/name, owner/name@revision
FIRST = "main"  # the revision where none is given

OnProgress = Callable[[str, int, int], None]  # takes stage, bytes done, bytes in all


@dataclass(frozen=True)
class HubName:
    """A model on the Hub."""

    repository: str
    revision: str = FIRST

    @staticmethod
    def parse(text: str) -> "HubName | None":
        """From `owner/name` or `owner/name@revision`; None when it is neither."""
        found = SHAPE.fullmatch(text)
        return HubName(found[1], found[2] or FIRST) if found else None

    def __str__(self) -> str:
        return self.repository if self.revision == FIRST else f"{self.repository}@{self.revision}"


class Pins:
    """What is known about a repository of which something was downloaded."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.folder = cache() / f"models--{repository.replace('/', '--')}"  # documented; so for other programs too
        self._commits, self._sums = _read(self.folder / NOTE)

    @property
    def revisions(self) -> Mapping[str, str]:
        """Revision -> commit, of what was downloaded whole."""
        return self._commits

    def commit(self, revision: str) -> str:
        """What a revision stood for when it was first downloaded; itself if it was not."""
        return self._commits.get(revision, revision)

    def sums(self, commit: str) -> Mapping[str, str]:
        """File name -> sha256 of what was downloaded."""
        return self._sums.get(commit, {})

    def snapshot(self, commit: str) -> Path:
        """The folder with the files of a commit."""
        return self.folder / "snapshots" / commit

    def whole(self, revision: str) -> Path | None:
        """The folder of a revision if it was downloaded, and all its files are still there."""
        commit = self.commit(revision)
        folder, names = self.snapshot(commit), self.sums(commit)
        return folder if names and all((folder / name).is_file() for name in names) else None

    def verify(self, revision: str, report: OnProgress | None = None) -> None:
        """Compare every file with its sum. Raises WeightsError naming the file, what was expected and what was found."""
        commit = self.commit(revision)
        expected = {self.snapshot(commit) / name: digest for name, digest in self.sums(commit).items()}
        if missing := next((path for path in expected if not path.is_file()), None):
            raise WeightsError(f"{missing} is missing; {repair_hint(missing.parent)}")
        done, total = 0, sum(path.stat().st_size for path in expected)
        for path, digest in expected.items():
            if report is not None:
                report("check", done, total)
            if (got := sha256(path)) != digest:
                raise WeightsError(f"{path} is damaged: expected sha256 {digest}, got {got}; {repair_hint(path.parent)}")
            done += path.stat().st_size

    def add(self, revision: str, commit: str, sums: Mapping[str, str]) -> None:
        """Note that all files of a revision are here. Nothing is noted twice in another way: the first time counts."""
        self._commits = {**self._commits, revision: commit, commit: commit}
        self._sums = {**self._sums, commit: dict(sums)}
        self._write()

    def drop(self, revision: str) -> None:
        """Forget a revision, and whatever else stood for the same commit."""
        gone = self.commit(revision)
        self._commits = {name: commit for name, commit in self._commits.items() if commit != gone}
        self._sums = {commit: sums for commit, sums in self._sums.items() if commit != gone}
        if self.folder.is_dir():
            self._write()

    def _write(self) -> None:
        text = json.dumps({"schema_version": 1, "revisions": self._commits, "sha256": self._sums}, indent=1) + "\n"
        new = self.folder / f"{NOTE}.{os.getpid()}"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / NOTE)


def cache() -> Path:
    """The Hub's cache, where huggingface_hub has it: HF_HUB_CACHE, HF_HOME, or ~/.cache/huggingface."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def downloaded() -> Iterator[tuple[HubName, Path]]:
    """Everything that was downloaded whole by this program and is still there, with its folder; a commit once."""
    for note in sorted(cache().glob(f"models--*/{NOTE}")):
        pins = Pins(note.parent.name.removeprefix("models--").replace("--", "/"))
        seen: set[str] = set()
        for revision, commit in pins.revisions.items():  # a name stands before the commit that it stands for
            folder = pins.whole(revision)
            if folder is not None and commit not in seen:
                seen.add(commit)
                yield HubName(pins.repository, revision), folder


def _read(note: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """An unreadable note is none: what it belongs to is downloaded again, which fetches nothing that is there."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        raw: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        commits = {str(name): str(commit) for name, commit in raw["revisions"].items()}
        return commits, {str(commit): {str(n): str(s) for n, s in sums.items()} for commit, sums in raw["sha256"].items()}
    return {}, {}
