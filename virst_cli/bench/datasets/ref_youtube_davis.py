"""Ref-YouTube-VOS and Ref-DAVIS17 on disk: their validation splits, which share one layout.

    ROOT/refytvos/valid/JPEGImages/VIDEO/00000.jpg ...            or ROOT/Ref-Youtube-VOS/...
    ROOT/refytvos/meta_expressions/valid/meta_expressions.json    of valid and test together,
    ROOT/refytvos/meta_expressions/test/meta_expressions.json     unless this tells them apart

    ROOT/davis17/valid/JPEGImages/VIDEO/00000.jpg ...
    ROOT/davis17/valid/mask_dict.pkl                              RLEs of every frame for every expression
    ROOT/davis17/valid/Annotations/VIDEO/00000.png ...            numbered objects, 255 void; not needed
    ROOT/davis17/meta_expressions/valid/meta_expressions.json

Frames keep the order of the table; videos are sorted by name.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from virst_cli.bench.annotators import ANNOTATORS, has_four_per_object, merge_masks
from virst_cli.bench.datasets.disk_dataset import DiskDataset
from virst_cli.bench.datasets.folder_layout import FolderLayout
from virst_cli.bench.datasets.mask_table import MaskTable
from virst_cli.bench.datasets.meta_expressions import VideoEntry, read_pickle, read_videos
from virst_cli.bench.samples import Expression, Hidden, Labels, Sample
from virst_cli.errors import UsageError
from virst_cli.files.shown import shown
from virst_cli.video.frame_folder import open_picture

META, TEST = (f"meta_expressions/{split}/meta_expressions.json" for split in ("valid", "test"))
PICTURES, MASKS, ANNOTATIONS = "valid/JPEGImages", "valid/mask_dict.pkl", "valid/Annotations"
VALIDATION_VIDEOS = 202  # of Ref-YouTube-VOS
INSTRUCTIONS = "https://github.com/wjn922/ReferFormer/blob/main/docs/data.md"
YOUTUBE = FolderLayout(
    "Ref-YouTube-VOS", ("refytvos", "Ref-Youtube-VOS"), (META,), f"{PICTURES}/VIDEO/00000.jpg ...", INSTRUCTIONS
)
MASK_TABLE = "https://github.com/cilinyan/VISA"  # has mask_dict.pkl
DAVIS = FolderLayout(
    "Ref-DAVIS17",
    ("davis17",),
    (META, MASKS),
    f"{PICTURES}/VIDEO/00000.jpg ...",
    f"{INSTRUCTIONS} and its {MASKS} from {MASK_TABLE}",
)


class RefYoutubeVosSet(DiskDataset):
    """The validation videos of Ref-YouTube-VOS, which a server scores. Raises `UsageError` if the data set is missing."""

    def __init__(self, root: Path | None) -> None:
        self.folder = YOUTUBE.find(root)
        meta, test = self.folder / META, self.folder / TEST
        videos = read_videos(meta, sort_frames=False)
        others = read_videos(test, sort_frames=False).keys() if test.is_file() else set()
        if not others and len(videos) > VALIDATION_VIDEOS:
            raise UsageError(
                f"{shown(meta)} has {len(videos)} videos, more than the {VALIDATION_VIDEOS} of the validation split; save the "
                f"table of the test split as {shown(test)}, so that its videos can be left out"
            )
        chosen = {name: videos[name] for name in sorted(videos.keys() - others)}
        if not chosen:
            raise UsageError(
                f"all videos of {shown(meta)} are in {shown(test)} as well, so none is left; download both files again"
            )
        super().__init__("ref-youtube-vos", meta, self.folder / PICTURES, chosen, archive="Annotations/")

    def _sample(self, video: VideoEntry) -> Sample:
        return self._with_frames(video, [Expression(entry.id, entry.text, Hidden()) for entry in video.expressions])


class RefDavisSet(DiskDataset):
    """The validation videos of Ref-DAVIS17. Raises `UsageError` if the data set is missing or lacks a mask."""

    def __init__(self, root: Path | None) -> None:
        self.folder = DAVIS.find(root)
        meta, masks = self.folder / META, self.folder / MASKS
        videos = read_videos(meta, sort_frames=False)
        super().__init__("ref-davis17", meta, self.folder / PICTURES, {name: videos[name] for name in sorted(videos)})
        # the table of masks numbers expressions through all videos, in this order: 0, 1, 10, 11, 2 ...
        ordered = [(video.name, key) for video in self._videos for key in sorted(entry.id for entry in video.expressions)]
        self._keys = {expression: str(number) for number, expression in enumerate(ordered)}
        self._masks = MaskTable(read_pickle(masks), masks)
        self._masks.check(
            (video, entry.id, [self._keys[video.name, entry.id]]) for video in self._videos for entry in video.expressions
        )
        self._four_per_object = all(has_four_per_object(entry.id for entry in video.expressions) for video in self._videos)

    def _sample(self, video: VideoEntry) -> Sample:
        keys = [self._keys[video.name, entry.id] for entry in video.expressions]
        expressions = [
            Expression(entry.id, entry.text, self._masks.union(video, [key], entry.id))
            for entry, key in zip(video.expressions, keys, strict=True)
        ]
        size = self._masks.size(keys)
        labels = self._labels(video, expressions, size) if self._four_per_object else None
        return self._with_frames(video, expressions, size, labels=labels)

    def _labels(self, video: VideoEntry, expressions: list[Expression], size: tuple[int, int] | None) -> Labels:
        """The annotation pictures if they are there, else the true masks of the first annotator's expressions."""
        pictures = self.folder / ANNOTATIONS / video.name
        if pictures.is_dir():
            return LabelFiles([pictures / f"{name}.png" for name in video.frames])
        objects = sorted((e for e in expressions if int(e.id) % ANNOTATORS == 0), key=lambda e: int(e.id))
        return MergedTruth(objects, size or (1, 1))


class LabelFiles:
    """Annotation pictures, read when they are used. Raises `UsageError` for one that is damaged or has no labels."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def __getitem__(self, frame: int) -> NDArray[np.uint8]:
        with open_picture(self._files[frame]) as picture:
            if picture.mode not in ("P", "L"):
                raise UsageError(f"{shown(self._files[frame])} is not a picture of numbered objects; download the data set again")
            try:
                return np.asarray(picture)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                raise UsageError(f"{shown(self._files[frame])} is damaged ({error}); download the data set again") from None


class MergedTruth:
    """The true masks of several objects as one picture of labels."""

    def __init__(self, objects: list[Expression], size: tuple[int, int]) -> None:
        self._objects, self._size = objects, size

    def __getitem__(self, frame: int) -> NDArray[np.uint8]:
        return merge_masks([expression.truth[frame] for expression in self._objects], self._size)
