"""ReasonVOS on disk: 91 videos of several other data sets, with sentences that need reasoning; it has no training split.

    ROOT/ReasonVOS/JPEGImages/VIDEO/00000.jpg ...
    ROOT/ReasonVOS/meta_expressions.json                       videos, each with its source and a list of expressions
    ROOT/ReasonVOS/Annotations/SOURCE_VIDEO_OBJECT/00000.png   masks; frames without one are not scored

Predictions are in SOURCE_VIDEO_OBJECT/EXPRESSION, because expressions are numbered per object.
"""

from collections.abc import Mapping
from pathlib import Path

from virst_cli.bench.datasets.disk_dataset import DiskDataset
from virst_cli.bench.datasets.folder_layout import FolderLayout
from virst_cli.bench.datasets.mask_table import require_masks
from virst_cli.bench.datasets.meta_expressions import ExpressionEntry, VideoEntry, read_videos
from virst_cli.bench.datasets.mevis import META, PICTURES
from virst_cli.bench.mask_png import read_cropped_mask
from virst_cli.bench.metrics import CroppedMask
from virst_cli.bench.samples import Expression, Sample
from virst_cli.errors import UsageError
from virst_cli.video.frame_folder import open_picture

ANNOTATIONS = "Annotations"
LAYOUT = FolderLayout(
    title="ReasonVOS",
    folders=("ReasonVOS",),
    tables=(META,),
    pictures=f"{PICTURES}/VIDEO/00000.jpg ... and {ANNOTATIONS}/SOURCE_VIDEO_OBJECT/00000.png ...",
    source="https://github.com/showlab/VideoLISA/blob/main/BENCHMARK.md",
)


class ReasonVosSet(DiskDataset):
    """The videos of ReasonVOS in file order. Raises `UsageError` if the data set is missing or an object has no masks."""

    def __init__(self, root: Path | None) -> None:
        self.folder = LAYOUT.find(root)
        meta = self.folder / META
        super().__init__("reason-vos", meta, self.folder / PICTURES, read_videos(meta, sort_frames=True))
        lacking = dict.fromkeys(
            _object(video, entry) for video in self._videos for entry in video.expressions if not self._masks(video, entry)
        )
        require_masks(self.folder / ANNOTATIONS, list(lacking))

    def _sample(self, video: VideoEntry) -> Sample:
        expressions = [self._expression(video, entry) for entry in video.expressions]
        folders = [expression.folder for expression in expressions]
        if len(set(folders)) != len(folders):
            raise UsageError(f"{video.name}: two expressions of one object have the same number in {META}; download it again")
        first = next(iter(self._masks(video, video.expressions[0]).values()))
        with open_picture(first) as picture:
            return self._with_frames(video, expressions, (picture.height, picture.width))

    def _expression(self, video: VideoEntry, entry: ExpressionEntry) -> Expression:
        masks = self._masks(video, entry)
        return Expression(
            id=f"{entry.fields['obj_id']}/{entry.id}",
            text=entry.text,
            truth=MaskFiles(masks),
            type="sentence" if entry.fields.get("is_sent", video.fields.get("is_sent")) else "phrase",
            folder=f"{_object(video, entry)}/{entry.id}",
            annotated=masks.keys(),
        )

    def _masks(self, video: VideoEntry, entry: ExpressionEntry) -> dict[int, Path]:
        """The mask files of the object that an expression refers to, by frame number."""
        folder = self.folder / ANNOTATIONS / _object(video, entry)
        files = {frame: folder / f"{name}.png" for frame, name in enumerate(video.frames)}
        return {frame: file for frame, file in files.items() if file.is_file()}


class MaskFiles:
    """The masks of an object, read when they are used; every pixel but 0 belongs to the mask."""

    def __init__(self, files: Mapping[int, Path]) -> None:
        self._files = files

    def __getitem__(self, frame: int) -> CroppedMask | None:
        return read_cropped_mask(self._files[frame]) if frame in self._files else None


def _object(video: VideoEntry, entry: ExpressionEntry) -> str:
    """The data set's name for the object that an expression refers to."""
    return f"{video.fields['source']}_{video.name}_{entry.fields['obj_id']}"
