"""ReVOS from disk: its validation split, referring and reasoning sentences over videos of several other data sets.

    ROOT/ReVOS/JPEGImages/SOURCE/.../VIDEO/00000.jpg ...   names of videos have slashes in them
    ROOT/ReVOS/meta_expressions_valid_.json                sentences with their annotations and their type
    ROOT/ReVOS/mask_dict.json                              as in MeViS

The published mask_dict_foreground.json is not read: it holds what mask_dict.json holds, the union of all annotations.
"""

from pathlib import Path

from virst_cli.bench.datasets.mask_files import MaskTable
from virst_cli.bench.datasets.mevis import MASKS, PICTURES, annotations, every_annotation
from virst_cli.bench.datasets.on_disk import DiskSet
from virst_cli.bench.datasets.place import Place
from virst_cli.bench.datasets.tables import Video, read_json, read_videos
from virst_cli.bench.samples import Expression, Sample
from virst_cli.bench.scores import REASONING, REFERRING

META = "meta_expressions_valid_.json"
TYPES = {0: REFERRING, 1: REASONING, 2: "neither"}
PLACE = Place(
    title="ReVOS",
    folders=("ReVOS",),
    tables=(META, MASKS),
    pictures=f"{PICTURES}/VIDEO/00000.jpg ...",
    source="https://github.com/cilinyan/ReVOS-api",
)


class RevosSet(DiskSet):
    """The videos in file order. Raises `UsageError` if the set isn't there or lacks a mask."""

    def __init__(self, root: Path | None) -> None:
        self.folder = PLACE.find(root)
        meta = self.folder / META
        super().__init__("revos", meta, self.folder / PICTURES, read_videos(meta, sort_frames=True))
        self._masks = MaskTable(read_json(self.folder / MASKS), self.folder / MASKS)
        self._masks.check((video, said.id, annotations(said)) for video in self._videos for said in video.said)

    def _sample(self, video: Video) -> Sample:
        every = every_annotation(video)
        said = [
            Expression(
                said.id, said.text, self._masks.union(video, annotations(said), f"/{said.id}"), TYPES[said.fields["type_id"]]
            )
            for said in video.said
        ]
        return self._with_frames(video, said, self._masks.size(every), foreground=self._masks.union(video, every))
