"""The memory bank: anchors of this chunk and the one before, and the latest frames. It does not grow with the video."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from virst_cli.model.config import POINTER_FRAMES
from virst_cli.model.seg_model import Tracked


class MemoryBank:
    """What tracking remembers of frames, by frame number and in their order."""

    def __init__(self) -> None:
        self.anchors: dict[int, Tracked] = {}
        self.recent: dict[int, Tracked] = {}  # the latest frames that are not anchors
        self._newest: dict[int, Tracked] = {}  # anchors of the current chunk

    def begin_chunk(self, anchors: Mapping[int, Tracked]) -> None:
        """Remembers a chunk's anchors. Those of the chunk before stay, as its last ones may be the nearest; older ones go."""
        ordered = dict(sorted(anchors.items()))
        self.anchors = {**self._newest, **ordered}
        self._newest = ordered

    def add(self, frame: int, tracked: Tracked) -> None:
        """Remembers a propagated frame, and forgets those that no later frame attends to."""
        self.recent[frame] = tracked
        for old in [number for number in self.recent if number <= frame - POINTER_FRAMES]:
            del self.recent[old]

    def __len__(self) -> int:
        return len(self.anchors) + len(self.recent)

    def state(self) -> dict[str, Tensor]:
        """Everything that is remembered at the end of a chunk, as named tensors for `restore`."""
        return dict(self._tensors())

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for group, frames in (("anchors", self._newest), ("recent", self.recent)):
            for number, tracked in frames.items():
                for name, value in vars(tracked).items():
                    yield f"{group}.{number}.{name}", value

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Remembers what `state` gave at the end of a chunk."""
        groups: dict[str, dict[int, dict[str, Tensor]]] = {"anchors": {}, "recent": {}}
        for key, value in state.items():
            group, number, name = key.split(".")
            groups[group].setdefault(int(number), {})[name] = value
        for group, frames in groups.items():
            tracked = {number: Tracked(**fields) for number, fields in sorted(frames.items())}
            if group == "anchors":
                self.begin_chunk(tracked)
            else:
                self.recent = tracked
