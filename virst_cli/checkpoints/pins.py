"""Records what was downloaded from the Hub: the commit of each revision at its first download, and the sha256 of every file.

The record lies beside the files, in the repository's folder of the Hub's cache, and holds from then on (trust on first use): if a
branch moves, nothing changes here; if a byte of a file changes, it is found. Nothing in this file uses the network.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError
from virst_cli.files.atomic import write_text
from virst_cli.stages import OnProgress, ignore_progress

RECORD = "virst.json"
SHAPE = re.compile(r"(?!.*\.\.)(\w[\w.-]*/\w[\w.-]*?)(?:@(\w[\w./-]*))?", re.ASCII)  # owner/name, owner/name@revision
DEFAULT_REVISION = "main"


@dataclass(frozen=True)
class HubName:
    """A model on the Hub: its repository, as owner/name, and a revision."""

    repository: str
    revision: str = DEFAULT_REVISION

    @staticmethod
    def parse(text: str) -> "HubName | None":
        """Reads `owner/name` or `owner/name@revision`; None when it is neither."""
        found = SHAPE.fullmatch(text)
        return HubName(found[1], found[2] or DEFAULT_REVISION) if found else None

    def __str__(self) -> str:
        return self.repository if self.revision == DEFAULT_REVISION else f"{self.repository}@{self.revision}"


class Pins:
    """The record of one repository: the commits that were downloaded and the sha256 of their files."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.folder = cache() / f"models--{repository.replace('/', '--')}"  # as the Hub documents it
        self._commits, self._sums = _read(self.folder / RECORD)

    @property
    def revisions(self) -> Mapping[str, str]:
        """Revision -> commit, for all revisions that were downloaded completely."""
        return self._commits

    def commit(self, revision: str) -> str:
        """The commit that a revision was when it was first downloaded; the revision itself if it was not downloaded."""
        return self._commits.get(revision, revision)

    def sums(self, commit: str) -> Mapping[str, str]:
        """File name -> sha256 of what was downloaded of a commit."""
        return self._sums.get(commit, {})

    def snapshot(self, commit: str) -> Path:
        """The folder with the files of a commit."""
        return self.folder / "snapshots" / commit

    def complete_folder(self, revision: str) -> Path | None:
        """The folder of a revision if it was downloaded and all its files are still there, else None."""
        commit = self.commit(revision)
        folder, names = self.snapshot(commit), self.sums(commit)
        return folder if names and all((folder / name).is_file() for name in names) else None

    def verify(self, revision: str, on_progress: OnProgress = ignore_progress) -> None:
        """Compares every file with its sha256. on_progress: takes "check", the bytes read, and the bytes of all files.

        Raises WeightsError naming the file, what was expected and what was found.
        """
        commit = self.commit(revision)
        expected = {self.snapshot(commit) / name: digest for name, digest in self.sums(commit).items()}
        if missing := next((path for path in expected if not path.is_file()), None):
            raise WeightsError(f"{missing} is missing; {repair_hint(missing.parent)}")
        done, total = 0, sum(path.stat().st_size for path in expected)
        for path, digest in expected.items():
            on_progress("check", done, total)
            if (got := sha256(path)) != digest:
                raise WeightsError(f"{path} is damaged: expected sha256 {digest}, got {got}; {repair_hint(path.parent)}")
            done += path.stat().st_size

    def add(self, revision: str, commit: str, sums: Mapping[str, str]) -> None:
        """Records that all files of a revision are here. sums: file name -> sha256."""
        self._commits = {**self._commits, revision: commit, commit: commit}
        self._sums = {**self._sums, commit: dict(sums)}
        self._write()

    def remove(self, revision: str) -> None:
        """Removes a revision from the record, and every other name of the same commit."""
        gone = self.commit(revision)
        self._commits = {name: commit for name, commit in self._commits.items() if commit != gone}
        self._sums = {commit: sums for commit, sums in self._sums.items() if commit != gone}
        if self.folder.is_dir():
            self._write()

    def _write(self) -> None:
        text = json.dumps({"schema_version": 1, "revisions": self._commits, "sha256": self._sums}, indent=1) + "\n"
        write_text(self.folder / RECORD, text, shared=True)


def cache() -> Path:
    """The Hub's cache, where huggingface_hub has it: HF_HUB_CACHE, HF_HOME, or ~/.cache/huggingface."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def downloaded() -> Iterator[tuple[HubName, Path]]:
    """Names and folders of everything that this program downloaded and that is still complete; each commit once."""
    for record in sorted(cache().glob(f"models--*/{RECORD}")):
        pins = Pins(record.parent.name.removeprefix("models--").replace("--", "/"))
        seen: set[str] = set()
        for revision, commit in pins.revisions.items():  # a branch or tag comes before its commit, so it gives the name
            folder = pins.complete_folder(revision)
            if folder is not None and commit not in seen:
                seen.add(commit)
                yield HubName(pins.repository, revision), folder


def _read(record: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The revisions and the sums of a record; both empty if it can't be read.

    Pulling again then writes a new record, and downloads only what is missing.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        raw: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        commits = {str(name): str(commit) for name, commit in raw["revisions"].items()}
        return commits, {str(commit): {str(n): str(s) for n, s in sums.items()} for commit, sums in raw["sha256"].items()}
    return {}, {}
