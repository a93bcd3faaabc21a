"""The Hub: what a repository holds, and one file of it into the Hub's cache.

Everything goes through huggingface_hub: its cache, session, HF_TOKEN, HF_ENDPOINT, proxies, timeouts and retries. Two things it
leaves to us. A download that was killed begins at its first byte again there; here a file is received as `blobs/<sum>.incomplete`
and goes on where it stopped. And it compares sizes only; here a file takes its place in the cache when its sum is right.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from virst_cli.checkpoints.manifest import READ_BYTES, sha256
from virst_cli.checkpoints.pins import HubName, Pins
from virst_cli.errors import WeightsError

SUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
Received = Callable[[int], None]  # takes the number of bytes that have come in


@dataclass(frozen=True)
class HubFile:
    """A file as the Hub lists it. sum: the Hub's own: sha256 of a large file, git's sha1 of a small one."""

    name: str
    bytes: int
    sum: str

    @property
    def sha256(self) -> str | None:
        """Where the Hub says it."""
        return self.sum if len(self.sum) == 64 else None


def listing(repository: str, revision: str) -> tuple[str, Mapping[str, HubFile]]:
    """The commit that a revision stands for now, and its files by name, without those in subfolders. One request."""
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # nobody learns from us what else is installed here
    no_hub = WeightsError(f"{constants.ENDPOINT} does not answer as a Hub does; check HF_ENDPOINT")
    try:
        info = HfApi(library_name="virst").model_info(repository, revision=revision, files_metadata=True)
    except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, or of something else
        raise no_hub from None
    entries = [entry for entry in info.siblings or () if Path(entry.rfilename).name == entry.rfilename]
    files = {
        entry.rfilename: HubFile(entry.rfilename, entry.size or 0, entry.lfs.sha256 if entry.lfs else entry.blob_id or "")
        for entry in entries
    }
    if not all(SUM.fullmatch(text) for text in (info.sha or "", *(file.sum for file in files.values()))):  # they become paths
        raise no_hub
    return info.sha or "", files


def fetch(pins: Pins, commit: str, file: HubFile, expected: str | None, received: Received | None) -> tuple[Path, str]:
    """A file in the cache, received if it is not there yet, and its sha256.

    expected: sha256, where it is known from elsewhere. received: is told how many bytes came in; without it, huggingface_hub
    shows its own bar. Raises WeightsError naming file, expected and got for a file with another sum, and keeps none of it.
    """
    from huggingface_hub import hf_hub_download

    if expected and file.sha256 and expected != file.sha256:
        raise _damaged(pins.repository, file.name, expected, file.sha256)
    pointer = pins.snapshot(commit) / file.name
    if pointer.is_file() and _is(pointer, file, expected):
        return pointer, _sum(pointer, file, expected)
    pointer.unlink(missing_ok=True)
    blob = pins.folder / "blobs" / file.sum
    if not (blob.is_file() and _is(blob, file, expected)):
        blob.unlink(missing_ok=True)
        blob.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_path(pins, file)
        _receive(HubName(pins.repository, commit), file, unfinished, received)
        if not _is(unfinished, file, expected):
            got = sha256(unfinished) if expected or file.sha256 else _git_sum(unfinished)
            unfinished.unlink()
            raise _damaged(pins.repository, file.name, expected or file.sum, got)
        unfinished.replace(blob)
    placed = Path(hf_hub_download(pins.repository, file.name, revision=commit, cache_dir=pins.folder.parent))
    if not placed.is_symlink():
        blob.unlink(missing_ok=True)  # a system without links: it was copied
    return placed, _sum(placed, file, expected)


def unfinished_path(pins: Pins, file: HubFile) -> Path:
    """Where a file is received."""
    return pins.folder / "blobs" / f"{file.sum}.incomplete"


def _receive(name: HubName, file: HubFile, path: Path, received: Received | None) -> None:
    """Append to `path` what it lacks of a file."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented

    have = path.stat().st_size if path.exists() else 0
    if have > file.bytes:
        path.unlink()
        have = 0
    if received is not None:
        received(have)
    constants.DOWNLOAD_CHUNK_SIZE = READ_BYTES  # what a line that breaks costs; 10 MB by default
    headers = {**build_hf_headers(library_name="virst"), "Accept-Encoding": "identity"}
    bar: Any = None if received is None else partial(_Bar, received)
    with path.open("ab") as out:
        url = hf_hub_url(name.repository, file.name, revision=name.revision)
        http_get(
            url, out, resume_size=have, headers=headers, expected_size=file.bytes, displayed_filename=file.name, tqdm_class=bar
        )
        out.flush()
        os.fsync(out.fileno())


class _Bar:
    """What huggingface_hub takes for a progress bar."""

    def __init__(self, received: Received, **_: Any) -> None:
        self.update = received

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to put away."""


def _is(path: Path, file: HubFile, expected: str | None) -> bool:
    """Whether a file has the sum that is expected, or the one that the Hub lists."""
    if path.stat().st_size != file.bytes:
        return False
    if wanted := expected or file.sha256:
        return sha256(path) == wanted
    return _git_sum(path) == file.sum


def _sum(path: Path, file: HubFile, expected: str | None) -> str:
    """sha256 of a file that was just found to be right."""
    return expected or file.sha256 or sha256(path)


def _git_sum(path: Path) -> str:
    """sha1 of a file as git computes it."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _damaged(repository: str, name: str, expected: str, got: str) -> WeightsError:
    what = "sha256" if len(expected) == 64 else "git sum"
    return WeightsError(
        f"{repository}: {name} is not what it should be: expected {what} {expected}, got {got}; nothing of it is used, try again"
    )
