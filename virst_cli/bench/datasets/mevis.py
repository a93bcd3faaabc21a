"""MeViS from disk: split valid_u, whose masks are public, and split valid, which its server scores.

    ROOT/mevis/valid_u/JPEGImages/VIDEO/00000.jpg ...
    ROOT/mevis/valid_u/meta_expressions.json   sentences, each with the annotations it means
    ROOT/mevis/valid_u/mask_dict.json          per annotation an RLE, or null, for every frame; not in split valid

What `virst world` writes has this layout too, with a type for every sentence. (Others call valid_u "valid", and valid "test".)
"""

from pathlib import Path

from virst_cli.bench.datasets.mask_files import MaskTable
from virst_cli.bench.datasets.on_disk import DiskSet
from virst_cli.bench.datasets.place import Place
from virst_cli.bench.datasets.tables import Said, Video, read_json, read_videos
from virst_cli.bench.samples import Expression, Hidden, Sample, Truth

META, MASKS, PICTURES = "meta_expressions.json", "mask_dict.json", "JPEGImages"


def _place(split: str, *tables: str) -> Place:
    return Place(
        title=f"MeViS ({split})",
        folders=(f"mevis/{split}", f"MeViS/{split}", split),
        tables=tables,
        pictures=f"{PICTURES}/VIDEO/00000.jpg ...",
        source="https://henghuiding.github.io/MeViS/",
    )


class MevisSet(DiskSet):
    """The videos of one split in file order. Raises `UsageError` if it isn't there or lacks a mask."""

    def __init__(self, root: Path | None, *, name: str = "mevis", hidden: bool = False) -> None:
        """hidden: split valid, without its masks."""
        place = _place("valid", META) if hidden else _place("valid_u", META, MASKS)
        self.folder = place.find(root)
        meta = self.folder / META
        super().__init__(name, meta, self.folder / PICTURES, read_videos(meta, sort_frames=True), archive="" if hidden else None)
        self._masks = None if hidden else MaskTable(read_json(self.folder / MASKS), self.folder / MASKS)
        if self._masks is not None:
            self._masks.check((video, said.id, annotations(said)) for video in self._videos for said in video.said)

    def _sample(self, video: Video) -> Sample:
        said = [Expression(said.id, said.text, self._truth(video, said), said.fields.get("type")) for said in video.said]
        size = None if self._masks is None else self._masks.size(every_annotation(video))
        return self._with_frames(video, said, size)

    def _truth(self, video: Video, said: Said) -> Truth:
        return Hidden() if self._masks is None else self._masks.union(video, annotations(said), f"/{said.id}")


def annotations(said: Said) -> list[str]:
    """The annotations that a sentence means, by their keys in the table of masks; none if it means nothing."""
    return [str(annotation) for annotation in said.fields["anno_id"]]


def every_annotation(video: Video) -> list[str]:
    """Those that any sentence of the video means, each once."""
    return list(dict.fromkeys(annotation for said in video.said for annotation in annotations(said)))
