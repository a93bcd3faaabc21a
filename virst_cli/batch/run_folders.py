"""Chooses the run folders of a batch, so that no two videos share one."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from virst_cli.outputs.names import MAX_NAME_BYTES, run_folder


def run_folders(videos: Sequence[Path], output: Path) -> list[Path]:
    """The run folder of each video, in the order of the videos: `<stem>.virst` in the folder `output`.

    Videos of the same name get the name of their folder in front: `a/clip.mp4` and `b/clip.mp4` become `a-clip.virst` and
    `b-clip.virst`. Names that are still the same get a number, in order: `clip.mp4` and `clip.mov` in one folder become
    `a-clip.virst` and `a-clip-2.virst`.

    videos: absolute paths.
    """
    plain = [run_folder(video, output) for video in videos]
    uses = Counter(map(_key, plain))
    taken = {key for key, count in uses.items() if count == 1}
    folders = []
    for video, folder in zip(videos, plain, strict=True):
        if uses[_key(folder)] > 1:
            folder = _numbered(output / _with_parent(video.parent.name, folder.stem), taken)
            taken.add(_key(folder))
        folders.append(folder)
    return folders


def _key(folder: Path) -> str:
    """A key that is the same for two folders whose names differ only in case, which are one folder on some file systems."""
    return folder.name.casefold()


def _with_parent(parent: str, stem: str) -> str:
    """The name of a run folder with its parent's name in front; printable and cut to the limit, as in `run_folder`."""
    name = "".join(c if c.isprintable() else "-" for c in f"{parent}-{stem}")
    return name.encode()[:MAX_NAME_BYTES].decode(errors="ignore") + ".virst"


def _numbered(folder: Path, taken: set[str]) -> Path:
    """The folder itself, or if its name is taken, the folder with the first free number from 2 on."""
    candidate, number = folder, 1
    while _key(candidate) in taken:
        number += 1
        candidate = folder.with_name(f"{folder.stem}-{number}.virst")  # file systems allow 255 bytes, MAX_NAME_BYTES is 200
    return candidate
