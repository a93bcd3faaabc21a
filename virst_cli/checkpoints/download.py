"""From the Hub to this machine: a converted model, or some files of any repository; whole and checked, or not at all.

What is here at the commit that was first downloaded is taken as it is, without a word to the Hub.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from virst_cli.checkpoints.hub import HubFile, fetch, listing, unfinished_path
from virst_cli.checkpoints.hub_errors import KEPT, offline, translating_hub_errors
from virst_cli.checkpoints.manifest import CONFIG, MANIFEST, TOKENIZER, listed_files
from virst_cli.checkpoints.pins import HubName, Pins, cache
from virst_cli.checkpoints.registry import HubPart
from virst_cli.errors import DiskFull, WeightsError
from virst_cli.model.config import VirstConfig
from virst_cli.stages import OnProgress

STAGE = "download"


class Download:
    """Files of one commit, on their way."""

    def __init__(self, name: HubName, pins: Pins) -> None:
        """Asks the Hub what there is."""
        self.name, self.pins = name, pins
        self.commit, self.files = listing(name.repository, pins.commit(name.revision))
        self.sums: dict[str, str] = {}  # of what is here

    def fetch(self, sums: Mapping[str, str | None], report: OnProgress | None) -> None:
        """Get files; `sums` has the sha256 of each where it is known. Disk space is looked at before the first byte."""
        if absent := sorted(sums.keys() - self.files.keys()):
            raise WeightsError(f"{self.name} has no {', '.join(absent)} at {self.commit}; is it the right model?")
        files = [self.files[name] for name in sums]
        self._check_space(files)
        done, total = 0, sum(file.bytes for file in files)
        for file in files:
            known = self.pins.sums(self.commit).get(file.name) or sums[file.name]
            _, self.sums[file.name] = fetch(self.pins, self.commit, file, known, _counter(report, done, total))
            done += file.bytes
            if report is not None:
                report(STAGE, done, total)

    def finish(self) -> Path:
        """The folder, noted as whole."""
        self.pins.add(self.name.revision, self.commit, self.sums)
        if self.name.revision != self.commit:  # or `hf cache prune` would take it for something that nobody needs
            ref = self.pins.folder / "refs" / self.name.revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            if not ref.exists():
                ref.write_text(self.commit)
        return self.pins.snapshot(self.commit)

    def _check_space(self, files: Iterable[HubFile]) -> None:
        needed = 0
        for file in files:
            if not ((self.pins.snapshot(self.commit) / file.name).exists() or (self.pins.folder / "blobs" / file.sum).exists()):
                unfinished = unfinished_path(self.pins, file)
                needed += file.bytes - (unfinished.stat().st_size if unfinished.exists() else 0)
        folder = next(parent for parent in (self.pins.folder, *self.pins.folder.parents) if parent.exists())
        if (free := shutil.disk_usage(folder).free) < needed:
            raise DiskFull(
                f"{folder}: {self.name} needs {needed / 1e9:.2f} GB more, {free / 1e9:.2f} GB are free; "
                f"free some, or set HF_HOME to another disk; {KEPT}"
            )


def pull_model(name: HubName, report: OnProgress | None = None, *, verify: bool = False) -> Path:
    """The folder of a converted model, downloaded if it is not here.

    verify: compare what is here with its sums, and get anew what is damaged. Raises WeightsError or DiskFull, in one line.
    """
    return _pull(name, _fetch_model, report, verify=verify)


def pull_part(part: HubPart, report: OnProgress | None = None) -> Path:
    """The folder with the files of a part, all verified, downloaded if they are not here or damaged.

    Raises WeightsError or DiskFull, in one line.
    """

    def fetch_part(download: Download, report: OnProgress | None) -> None:
        names: dict[str, str | None] = {}
        for pattern in part.files:
            matching = [name for name in download.files if fnmatch(name, pattern)]
            if not matching:
                raise WeightsError(f"{part.repository} has no {pattern} at {download.commit}; it is not what it was")
            names |= {name: part.sha256.get(name) for name in matching}
        download.fetch(names, report)

    return _pull(HubName(part.repository, part.revision), fetch_part, report, verify=True)


def _fetch_model(download: Download, report: OnProgress | None) -> None:
    """What a model is, before all of it: something else must not cost gigabytes."""
    if absent := [name for name in (CONFIG, TOKENIZER, MANIFEST) if name not in download.files]:
        raise WeightsError(
            f"{download.name} is no virst model: it has no {', '.join(absent)}; "
            "upload what `virst weights path` names after `virst weights import`"
        )
    download.fetch({MANIFEST: None, CONFIG: None}, lambda stage, done, total: None)
    folder = download.pins.snapshot(download.commit)
    VirstConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"), source=f"{CONFIG} of {download.name}")
    download.fetch({MANIFEST: None} | {name: facts["sha256"] for name, facts in listed_files(folder).items()}, report)


def _counter(report: OnProgress | None, before: int, total: int) -> Callable[[int], None] | None:
    """Takes the bytes of one file as they come in, and reports them among those of all."""
    if report is None:
        return None
    here = before

    def received(count: int) -> None:
        nonlocal here
        here += count
        report(STAGE, min(here, total), total)

    return received


def _pull(
    name: HubName, fetch_files: Callable[[Download, OnProgress | None], None], report: OnProgress | None, *, verify: bool
) -> Path:
    here = _sound(name, report, verify=verify)
    if here is not None:
        return here
    if offline():
        raise WeightsError(
            f"{name} is not on this machine, and offline it can't be got; go online (HF_HUB_OFFLINE=0), or copy it here"
        )
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # which waits, and dies with its process

    lock = cache() / ".locks" / Pins(name.repository).folder.name / "virst.lock"
    with translating_hub_errors(name, cache()):
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if (here := _sound(name, report, verify=verify)) is not None:
                return here  # another process was faster
            download = Download(name, Pins(name.repository))
            fetch_files(download, report)
            return download.finish()


def _sound(name: HubName, report: OnProgress | None, *, verify: bool) -> Path | None:
    """The folder if it is whole; verify: and nothing in it is damaged, or can't be replaced."""
    pins = Pins(name.repository)
    here = pins.whole(name.revision)
    if here is not None and verify:
        try:
            pins.verify(name.revision, report)
        except WeightsError:
            if offline():
                raise
            return None
    return here
