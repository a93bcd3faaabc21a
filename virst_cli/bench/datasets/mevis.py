"""MeViS on disk: split valid_u, whose masks are public, and split valid, which its server scores.

    ROOT/mevis/valid_u/JPEGImages/VIDEO/00000.jpg ...
    ROOT/mevis/valid_u/meta_expressions.json   sentences, each with its annotations
    ROOT/mevis/valid_u/mask_dict.json          per annotation an RLE, or null, for every frame; not in split valid

`virst world` writes this layout too, with a type for every sentence. (Others call valid_u "valid", and valid "test".)
"""

from pathlib import Path

from virst_cli.bench.datasets.disk_dataset import DiskDataset
from virst_cli.bench.datasets.folder_layout import FolderLayout
from virst_cli.bench.datasets.mask_table import MaskTable
from virst_cli.bench.datasets.meta_expressions import ExpressionEntry, VideoEntry, read_json, read_videos
from virst_cli.bench.samples import Expression, Hidden, Sample, Truth

META, MASKS, PICTURES = "meta_expressions.json", "mask_dict.json", "JPEGImages"


def _layout(split: str, *tables: str) -> FolderLayout:
    return FolderLayout(
        title=f"MeViS ({split})",
        folders=(f"mevis/{split}", f"MeViS/{split}", split),
        tables=tables,
        pictures=f"{PICTURES}/VIDEO/00000.jpg ...",
        source="https://henghuiding.github.io/MeViS/",
    )


class MevisSet(DiskDataset):
    """The videos of one split of MeViS in file order. Raises `UsageError` if it is missing or lacks a mask."""

    def __init__(self, root: Path | None, *, name: str = "mevis", hidden: bool = False) -> None:
        """Opens a split.

        root: as in `open_dataset`.
        name: what `virst bench --dataset` calls it.
        hidden: open split valid, whose masks are not public, instead of valid_u.
        """
        layout = _layout("valid", META) if hidden else _layout("valid_u", META, MASKS)
        self.folder = layout.find(root)
        meta = self.folder / META
        super().__init__(name, meta, self.folder / PICTURES, read_videos(meta, sort_frames=True), archive="" if hidden else None)
        self._masks = None if hidden else MaskTable(read_json(self.folder / MASKS), self.folder / MASKS)
        if self._masks is not None:
            self._masks.check((video, entry.id, annotations(entry)) for video in self._videos for entry in video.expressions)

    def _sample(self, video: VideoEntry) -> Sample:
        expressions = [
            Expression(entry.id, entry.text, self._truth(video, entry), entry.fields.get("type")) for entry in video.expressions
        ]
        size = None if self._masks is None else self._masks.size(every_annotation(video))
        return self._with_frames(video, expressions, size)

    def _truth(self, video: VideoEntry, entry: ExpressionEntry) -> Truth:
        return Hidden() if self._masks is None else self._masks.union(video, annotations(entry), entry.id)


def annotations(entry: ExpressionEntry) -> list[str]:
    """The annotations that an expression refers to, by their keys in the table of masks; empty if it refers to nothing."""
    return [str(annotation) for annotation in entry.fields["anno_id"]]


def every_annotation(video: VideoEntry) -> list[str]:
    """The annotations that any expression of the video refers to, each once."""
    return list(dict.fromkeys(annotation for entry in video.expressions for annotation in annotations(entry)))
