"""Which run folder each video of a batch gets, so that no two write into one."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from virst_cli.outputs.names import MAX_NAME_BYTES, run_folder


def run_folders(videos: Sequence[Path], output: Path) -> list[Path]:
    """`<stem>.virst` under `output`, in the order of the videos, which are absolute paths.

    Videos of one name have the name of their folder in front: `a/clip.mp4` and `b/clip.mp4` become `a-clip.virst` and
    `b-clip.virst`. Whatever still is the same gets a number, in order: `clip.mp4` and `clip.mov` in one folder become
    `a-clip.virst` and `a-clip-2.virst`.
    """
    plain = [run_folder(video, output) for video in videos]
    often = Counter(map(_alike, plain))
    taken = {name for name, count in often.items() if count == 1}
    folders = []
    for video, folder in zip(videos, plain, strict=True):
        if often[_alike(folder)] > 1:
            folder = _free(output / _longer(video.parent.name, folder.stem), taken)
            taken.add(_alike(folder))
        folders.append(folder)
    return folders


def _alike(folder: Path) -> str:
    """The same for two folders that some file system takes for one."""
    return folder.name.casefold()


def _longer(above: str, stem: str) -> str:
    """The name of a folder in front of that of a run; printable and cut, as `run_folder` has it."""
    name = "".join(c if c.isprintable() else "-" for c in f"{above}-{stem}")
    return name.encode()[:MAX_NAME_BYTES].decode(errors="ignore") + ".virst"


def _free(folder: Path, taken: set[str]) -> Path:
    """The folder, or the one with the first free number from 2 on."""
    free, number = folder, 1
    while _alike(free) in taken:
        number += 1
        free = folder.with_name(f"{folder.stem}-{number}.virst")  # names are cut to 200 bytes before, so there is room
    return free
