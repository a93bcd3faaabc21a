"""ReVOS on disk: its validation split, with referring and reasoning sentences about videos of several other data sets.

    ROOT/ReVOS/JPEGImages/SOURCE/.../VIDEO/00000.jpg ...   names of videos contain slashes
    ROOT/ReVOS/meta_expressions_valid_.json                sentences with their annotations and their type
    ROOT/ReVOS/mask_dict.json                              as in MeViS

The published mask_dict_foreground.json is not needed: it is the union of all annotations in mask_dict.json.
"""

from pathlib import Path

from virst_cli.bench.datasets.disk_dataset import DiskDataset
from virst_cli.bench.datasets.folder_layout import FolderLayout
from virst_cli.bench.datasets.mask_table import MaskTable
from virst_cli.bench.datasets.meta_expressions import VideoEntry, read_json, read_videos
from virst_cli.bench.datasets.mevis import MASKS, PICTURES, annotations, every_annotation
from virst_cli.bench.samples import Expression, Sample
from virst_cli.bench.scores import REASONING, REFERRING

META = "meta_expressions_valid_.json"
TYPES = {0: REFERRING, 1: REASONING, 2: "neither"}
LAYOUT = FolderLayout(
    title="ReVOS",
    folders=("ReVOS",),
    tables=(META, MASKS),
    pictures=f"{PICTURES}/VIDEO/00000.jpg ...",
    source="https://github.com/cilinyan/ReVOS-api",
)


class RevosSet(DiskDataset):
    """The videos of ReVOS in file order. Raises `UsageError` if the data set is missing or lacks a mask."""

    def __init__(self, root: Path | None) -> None:
        self.folder = LAYOUT.find(root)
        meta = self.folder / META
        super().__init__("revos", meta, self.folder / PICTURES, read_videos(meta, sort_frames=True))
        self._masks = MaskTable(read_json(self.folder / MASKS), self.folder / MASKS)
        self._masks.check((video, entry.id, annotations(entry)) for video in self._videos for entry in video.expressions)

    def _sample(self, video: VideoEntry) -> Sample:
        every = every_annotation(video)
        expressions = [
            Expression(
                entry.id, entry.text, self._masks.union(video, annotations(entry), entry.id), TYPES[entry.fields["type_id"]]
            )
            for entry in video.expressions
        ]
        return self._with_frames(video, expressions, self._masks.size(every), foreground=self._masks.union(video, every))
