"""Downloads from the Hub: a converted model, or some files of any repository; complete and verified, or not at all.

A model that is here, at the commit of its first download, is used as it is, without a request to the Hub.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from virst_cli.checkpoints.hub import HubFile, OnBytes, download_file, list_files, unfinished_path
from virst_cli.checkpoints.hub_errors import RESUMES, offline, translating_hub_errors
from virst_cli.checkpoints.manifest import CONFIG, MANIFEST, TOKENIZER, listed_files
from virst_cli.checkpoints.pins import HubName, Pins, cache
from virst_cli.checkpoints.registry import HubPart
from virst_cli.errors import DiskFull, WeightsError
from virst_cli.files.atomic import write_text
from virst_cli.model.config import VirstConfig
from virst_cli.stages import OnProgress, ignore_progress

STAGE = "download"


class Download:
    """A download of files of one commit."""

    def __init__(self, name: HubName, pins: Pins) -> None:
        """Asks the Hub for the commit and its list of files. Raises as `list_files`."""
        self.name, self.pins = name, pins
        self.commit, self.files = list_files(name.repository, pins.commit(name.revision))
        self.sums: dict[str, str] = {}  # file name -> sha256 of what is here

    def download(self, sums: Mapping[str, str | None], on_progress: OnProgress | None) -> None:
        """Downloads files; disk space is checked before the first byte.

        sums: name -> sha256 of the files, or None where it is not known.
        on_progress: takes "download", the bytes received, and the bytes of all files; None for huggingface_hub's own bars.

        Raises WeightsError for a file that is not there or has the wrong contents, DiskFull when there is not enough space.
        """
        if absent := sorted(sums.keys() - self.files.keys()):
            raise WeightsError(f"{self.name} has no {', '.join(absent)} at {self.commit}; check that it is the right model")
        files = [self.files[name] for name in sums]
        self._check_space(files)
        done, total = 0, sum(file.bytes for file in files)
        for file in files:
            expected = self.pins.sums(self.commit).get(file.name) or sums[file.name]
            on_bytes = _adding_to(on_progress, done, total)
            _, self.sums[file.name] = download_file(self.pins, self.commit, file, expected, on_bytes)
            done += file.bytes
            if on_progress is not None:
                on_progress(STAGE, done, total)

    def finish(self) -> Path:
        """Records the download as complete. Returns the folder with its files."""
        self.pins.add(self.name.revision, self.commit, self.sums)
        if self.name.revision != self.commit:  # without a ref, `hf cache prune` would delete the files
            ref = self.pins.folder / "refs" / self.name.revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            if not ref.exists():
                write_text(ref, self.commit)
        return self.pins.snapshot(self.commit)

    def _check_space(self, files: Iterable[HubFile]) -> None:
        needed = 0
        for file in files:
            blob = self.pins.folder / "blobs" / file.blob_id
            if not ((self.pins.snapshot(self.commit) / file.name).exists() or blob.exists()):
                unfinished = unfinished_path(self.pins, file)
                needed += file.bytes - (unfinished.stat().st_size if unfinished.exists() else 0)
        folder = next(parent for parent in (self.pins.folder, *self.pins.folder.parents) if parent.exists())
        if (free := shutil.disk_usage(folder).free) < needed:
            raise DiskFull(
                f"{folder}: {self.name} needs {needed / 1e9:.2f} GB more, but {free / 1e9:.2f} GB are free; "
                f"free some space, or set HF_HOME to another disk; {RESUMES}"
            )


def pull_model(name: HubName, on_progress: OnProgress | None = None, *, verify: bool = False) -> Path:
    """The folder of a converted model, downloaded if it is not here.

    on_progress: as for `Download.download`.
    verify: compare every file that is here with its sha256, and download damaged ones again.

    Raises WeightsError or DiskFull.
    """
    return _pull(name, _download_model, on_progress, verify=verify)


def pull_part(part: HubPart, on_progress: OnProgress | None = None) -> Path:
    """The folder with the files of a part, all verified; missing and damaged files are downloaded.

    Raises WeightsError or DiskFull.
    """

    def download_part(download: Download, on_progress: OnProgress | None) -> None:
        names: dict[str, str | None] = {}
        for pattern in part.files:
            matching = [name for name in download.files if fnmatch(name, pattern)]
            if not matching:
                raise WeightsError(
                    f"{part.repository} has no {pattern} at {download.commit}; its owner has changed it since virst was released"
                )
            names |= {name: part.sha256.get(name) for name in matching}
        download.download(names, on_progress)

    return _pull(HubName(part.repository, part.revision), download_part, on_progress, verify=True)


def _download_model(download: Download, on_progress: OnProgress | None) -> None:
    """Downloads manifest and configuration first: a repository that is not a virst model is refused before its large files."""
    if absent := [name for name in (CONFIG, TOKENIZER, MANIFEST) if name not in download.files]:
        raise WeightsError(
            f"{download.name} is not a virst model: it has no {', '.join(absent)}; "
            "to share a model, upload the folder that `virst weights path` prints after `virst weights import`"
        )
    download.download({MANIFEST: None, CONFIG: None}, ignore_progress)
    folder = download.pins.snapshot(download.commit)
    VirstConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"), source=f"{CONFIG} of {download.name}")
    download.download({MANIFEST: None} | {name: facts["sha256"] for name, facts in listed_files(folder).items()}, on_progress)


def _adding_to(on_progress: OnProgress | None, before: int, total: int) -> OnBytes | None:
    """Turns the byte counts of one file into progress of all. before, total: bytes of the files before it, and of all."""
    if on_progress is None:
        return None
    done = before

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        on_progress(STAGE, min(done, total), total)

    return on_bytes


def _pull(
    name: HubName,
    download_files: Callable[[Download, OnProgress | None], None],
    on_progress: OnProgress | None,
    *,
    verify: bool,
) -> Path:
    folder = _usable_folder(name, on_progress, verify=verify)
    if folder is not None:
        return folder
    if offline():
        raise WeightsError(
            f"{name} is not on this machine and can't be downloaded offline; run without --offline and HF_HUB_OFFLINE, "
            "or copy the Hub's cache from another machine"
        )
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # waits, and ends with its process

    lock = cache() / ".locks" / Pins(name.repository).folder.name / "virst.lock"
    with translating_hub_errors(name, cache()):
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if (folder := _usable_folder(name, on_progress, verify=verify)) is not None:
                return folder  # another process has downloaded it in the meantime
            download = Download(name, Pins(name.repository))
            download_files(download, on_progress)
            return download.finish()


def _usable_folder(name: HubName, on_progress: OnProgress | None, *, verify: bool) -> Path | None:
    """The folder if it is complete and, with verify, undamaged; else None. Offline, damage is a WeightsError."""
    pins = Pins(name.repository)
    folder = pins.complete_folder(name.revision)
    if folder is not None and verify:
        try:
            pins.verify(name.revision, on_progress or ignore_progress)
        except WeightsError:
            if offline():
                raise
            return None
    return folder
