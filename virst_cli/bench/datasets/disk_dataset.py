"""The base class of data sets on disk: videos from a table, frames in JPEGImages."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from virst_cli.bench.datasets.frame_files import find_frames
from virst_cli.bench.datasets.meta_expressions import VideoEntry
from virst_cli.bench.samples import Expression, Sample
from virst_cli.outputs.request_key import file_identity


class DiskDataset(ABC):
    """A data set on disk; its videos have the order of the table they are read from."""

    def __init__(
        self, name: str, meta: Path, pictures: Path, videos: Mapping[str, VideoEntry], archive: str | None = None
    ) -> None:
        """Takes what all data sets on disk have.

        name, archive: as in `Dataset`.
        meta: the file with the expressions.
        pictures: the folder with a folder of frames for every video.
        videos: the entries of the file that belong to the data set.
        """
        self.name, self.archive = name, archive
        self._meta, self._pictures = meta, pictures
        self._videos = list(videos.values())

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, index: int) -> Sample:
        return self._sample(self._videos[index])

    def facts(self) -> dict[str, Any]:
        """As in `Dataset`."""
        sentences = hashlib.sha256(self._meta.read_bytes()).hexdigest()
        pictures = {video.name: _state(self._pictures / video.name) for video in self._videos}
        return {"name": self.name, "sentences": sentences, "pictures": pictures}

    @abstractmethod
    def _sample(self, video: VideoEntry) -> Sample:
        """The video with its expressions and true masks; subclasses make it with `_with_frames`."""

    def _with_frames(
        self, video: VideoEntry, expressions: Sequence[Expression], size: tuple[int, int] | None = None, **more: Any
    ) -> Sample:
        """Makes a sample of a video and its frames.

        video: its entry in the table.
        expressions: with their true masks.
        size: (H, W) of the masks; None for that of the frames.
        more: further fields of `Sample`.
        """
        frames, missing = find_frames(self._pictures, video.name, video.frames)
        return Sample(
            video=video.name,
            frame_names=video.frames,
            frames=frames,
            expressions=expressions,
            missing=missing,
            size=size or frames.size,
            **more,
        )


def _state(folder: Path) -> list[int] | None:
    """The total bytes of a folder's files, and the time of the last change in nanoseconds; None without a folder."""
    try:
        state = file_identity(folder)
    except OSError:
        return None
    return [state["bytes"], state["mtime_ns"]]
