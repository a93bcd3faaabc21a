"""ReasonVOS from disk: 91 videos of several other data sets, with sentences that need reasoning; no training split.

    ROOT/ReasonVOS/JPEGImages/VIDEO/00000.jpg ...
    ROOT/ReasonVOS/meta_expressions.json                       videos, each with its source and a list of expressions
    ROOT/ReasonVOS/Annotations/SOURCE_VIDEO_OBJECT/00000.png   masks; frames without one do not count

Predictions lie in SOURCE_VIDEO_OBJECT/EXPRESSION, for expressions are numbered anew for every object.
"""

from collections.abc import Mapping
from pathlib import Path

from virst_cli.bench.datasets.mask_files import require_masks
from virst_cli.bench.datasets.mevis import META, PICTURES
from virst_cli.bench.datasets.on_disk import DiskSet
from virst_cli.bench.datasets.place import Place
from virst_cli.bench.datasets.tables import Said, Video, read_videos
from virst_cli.bench.mask_file import read_cut
from virst_cli.bench.metrics import Cut
from virst_cli.bench.samples import Expression, Sample
from virst_cli.errors import UsageError
from virst_cli.video.frame_folder import open_picture

ANNOTATIONS = "Annotations"
PLACE = Place(
    title="ReasonVOS",
    folders=("ReasonVOS",),
    tables=(META,),
    pictures=f"{PICTURES}/VIDEO/00000.jpg ... and {ANNOTATIONS}/SOURCE_VIDEO_OBJECT/00000.png ...",
    source="https://github.com/showlab/VideoLISA/blob/main/BENCHMARK.md",
)


class ReasonVosSet(DiskSet):
    """The videos in file order. Raises `UsageError` if the set isn't there or an object has no masks."""

    def __init__(self, root: Path | None) -> None:
        self.folder = PLACE.find(root)
        meta = self.folder / META
        super().__init__("reason-vos", meta, self.folder / PICTURES, read_videos(meta, sort_frames=True))
        lacking = dict.fromkeys(
            _object(video, said) for video in self._videos for said in video.said if not self._masks(video, said)
        )
        require_masks(self.folder / ANNOTATIONS, list(lacking))

    def _sample(self, video: Video) -> Sample:
        said = [self._expression(video, said) for said in video.said]
        folders = [expression.folder for expression in said]
        if len(set(folders)) != len(folders):
            raise UsageError(f"{video.name}: two expressions of one object have one number in {META}; fetch it again")
        first = next(iter(self._masks(video, video.said[0]).values()))
        with open_picture(first) as picture:
            return self._with_frames(video, said, (picture.height, picture.width))

    def _expression(self, video: Video, said: Said) -> Expression:
        masks = self._masks(video, said)
        return Expression(
            id=f"{said.fields['obj_id']}/{said.id}",
            text=said.text,
            truth=MaskFiles(masks),
            type="sentence" if said.fields.get("is_sent", video.fields.get("is_sent")) else "phrase",
            folder=f"{_object(video, said)}/{said.id}",
            annotated=masks.keys(),
        )

    def _masks(self, video: Video, said: Said) -> dict[int, Path]:
        """The mask files of the object that is meant, by frame number."""
        folder = self.folder / ANNOTATIONS / _object(video, said)
        files = {frame: folder / f"{name}.png" for frame, name in enumerate(video.frames)}
        return {frame: file for frame, file in files.items() if file.is_file()}


class MaskFiles:
    """The masks of an object, read when looked at; all but 0 is mask."""

    def __init__(self, files: Mapping[int, Path]) -> None:
        self._files = files

    def __getitem__(self, frame: int) -> Cut | None:
        return read_cut(self._files[frame]) if frame in self._files else None


def _object(video: Video, said: Said) -> str:
    """What the data set calls an object of a video."""
    return f"{video.fields['source']}_{video.name}_{said.fields['obj_id']}"
