"""Lists a repository on the Hub, and downloads single files of it into the Hub's cache.

Everything goes through huggingface_hub: its cache, session, HF_TOKEN, HF_ENDPOINT, proxies, timeouts and retries. Two things are
done here, because it does not do them. It starts a killed download again at the first byte; here a file is received as
`blobs/<blob id>.incomplete`, and the download continues where it stopped. And it compares sizes only; here a file takes its
place in the cache when its sha256 is right.
"""

import hashlib
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
from virst_cli.files import atomic

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
OnBytes = Callable[[int], None]  # called with the number of bytes that were received since the last call


@dataclass(frozen=True)
class HubFile:
    """A file as the Hub lists it.

    blob_id: the name of its contents in the Hub's cache: the sha256 of a large file, git's sha1 of a small one.
    """

    name: str
    bytes: int
    blob_id: str

    @property
    def sha256(self) -> str | None:
        """The sha256 if the Hub lists it, which it does for large files."""
        return self.blob_id if len(self.blob_id) == 64 else None


def list_files(repository: str, revision: str) -> tuple[str, Mapping[str, HubFile]]:
    """The commit that a revision is now, and its files by name, without those in subfolders. Takes one request.

    Raises WeightsError when what answers is not a Hub, and what huggingface_hub raises.
    """
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # else the user agent lists installed packages
    not_a_hub = WeightsError(f"{constants.ENDPOINT} does not answer like a Hugging Face Hub; check HF_ENDPOINT")
    try:
        info = HfApi(library_name="virst").model_info(repository, revision=revision, files_metadata=True)
    except (ValueError, KeyError, TypeError, AttributeError):  # not JSON, or JSON with other contents
        raise not_a_hub from None
    entries = [entry for entry in info.siblings or () if Path(entry.rfilename).name == entry.rfilename]
    files = {
        entry.rfilename: HubFile(entry.rfilename, entry.size or 0, entry.lfs.sha256 if entry.lfs else entry.blob_id or "")
        for entry in entries
    }
    if not all(
        HASH.fullmatch(text) for text in (info.sha or "", *(file.blob_id for file in files.values()))
    ):  # they become paths
        raise not_a_hub
    return info.sha or "", files


def download_file(pins: Pins, commit: str, file: HubFile, expected: str | None, on_bytes: OnBytes | None) -> tuple[Path, str]:
    """Downloads a file into the cache if it is not there yet. Returns its path and its sha256.

    expected: the sha256 that it must have, or None if only the Hub's own is known.
    on_bytes: called as bytes are received; None to let huggingface_hub show its own progress bar.

    Raises WeightsError naming file, expected and got if the contents are wrong, and keeps none of them.
    """
    from huggingface_hub import hf_hub_download

    if expected and file.sha256 and expected != file.sha256:
        raise _wrong_contents(pins.repository, file.name, expected, file.sha256)
    pointer = pins.snapshot(commit) / file.name
    if pointer.is_file() and _matches(pointer, file, expected):
        return pointer, _verified_sha256(pointer, file, expected)
    pointer.unlink(missing_ok=True)
    blob = pins.folder / "blobs" / file.blob_id
    if not (blob.is_file() and _matches(blob, file, expected)):
        blob.unlink(missing_ok=True)
        blob.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_path(pins, file)
        _download_rest(HubName(pins.repository, commit), file, unfinished, on_bytes)
        if not _matches(unfinished, file, expected):
            got = sha256(unfinished) if expected or file.sha256 else _git_sha1(unfinished)
            unfinished.unlink()
            raise _wrong_contents(pins.repository, file.name, expected or file.blob_id, got)
        atomic.commit(unfinished, blob)
    placed = Path(hf_hub_download(pins.repository, file.name, revision=commit, cache_dir=pins.folder.parent))
    if not placed.is_symlink():
        blob.unlink(missing_ok=True)  # a system without symbolic links: the file was copied
    return placed, _verified_sha256(placed, file, expected)


def unfinished_path(pins: Pins, file: HubFile) -> Path:
    """Where a file is while it is being downloaded."""
    return pins.folder / "blobs" / f"{file.blob_id}.incomplete"


def _download_rest(name: HubName, file: HubFile, path: Path, on_bytes: OnBytes | None) -> None:
    """Appends to `path` the part of a file that it does not have yet."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented

    have = path.stat().st_size if path.exists() else 0
    if have > file.bytes:
        path.unlink()
        have = 0
    if on_bytes is not None:
        on_bytes(have)
    constants.DOWNLOAD_CHUNK_SIZE = READ_BYTES  # what is lost when a connection breaks; 10 MB by default
    headers = {**build_hf_headers(library_name="virst"), "Accept-Encoding": "identity"}
    bar: Any = None if on_bytes is None else partial(_Bar, on_bytes)
    with path.open("ab") as out:
        url = hf_hub_url(name.repository, file.name, revision=name.revision)
        http_get(
            url, out, resume_size=have, headers=headers, expected_size=file.bytes, displayed_filename=file.name, tqdm_class=bar
        )


class _Bar:
    """The part of tqdm's interface that huggingface_hub uses; passes the byte counts on."""

    def __init__(self, on_bytes: OnBytes, **_: Any) -> None:
        self.update = on_bytes

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to close."""


def _matches(path: Path, file: HubFile, expected: str | None) -> bool:
    """Whether a file on disk has the expected sha256, or else the hash that the Hub lists."""
    if path.stat().st_size != file.bytes:
        return False
    if wanted := expected or file.sha256:
        return sha256(path) == wanted
    return _git_sha1(path) == file.blob_id


def _verified_sha256(path: Path, file: HubFile, expected: str | None) -> str:
    """The sha256 of a file for which `_matches` was just true."""
    return expected or file.sha256 or sha256(path)


def _git_sha1(path: Path) -> str:
    """The sha1 of a file as git computes it: over a header and the contents."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _wrong_contents(repository: str, name: str, expected: str, got: str) -> WeightsError:
    kind = "sha256" if len(expected) == 64 else "git sha1"
    return WeightsError(
        f"{repository}: {name} has the wrong contents: expected {kind} {expected}, got {got}; it is not used; "
        "try again, or ask the owner of the model"
    )
