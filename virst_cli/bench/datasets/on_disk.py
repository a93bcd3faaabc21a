"""What the data sets on disk have in common: videos from a table, frames in JPEGImages."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from virst_cli.bench.datasets.frame_files import find_frames
from virst_cli.bench.datasets.tables import Video
from virst_cli.bench.samples import Expression, Sample
from virst_cli.outputs.request_key import file_identity


class DiskSet(ABC):
    """Videos in the order of `videos`, whose frames are below `pictures`. archive: as in `Dataset`."""

    def __init__(self, name: str, meta: Path, pictures: Path, videos: Mapping[str, Video], archive: str | None = None) -> None:
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
    def _sample(self, video: Video) -> Sample:
        """The video with its expressions; see `_with_frames`."""

    def _with_frames(
        self, video: Video, expressions: Sequence[Expression], size: tuple[int, int] | None = None, **more: Any
    ) -> Sample:
        """The video with its frames. size: (H, W) where the masks say it, else that of the frames. more: fields of `Sample`."""
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
    """Bytes of a folder's files together, and when one was last changed; None without a folder."""
    try:
        state = file_identity(folder)
    except OSError:
        return None
    return [state["bytes"], state["mtime_ns"]]
