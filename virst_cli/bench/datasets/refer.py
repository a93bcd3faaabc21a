"""Ref-YouTube-VOS and Ref-DAVIS17 from disk: validation splits, which share one layout.

    ROOT/refytvos/valid/JPEGImages/VIDEO/00000.jpg ...            or ROOT/Ref-Youtube-VOS/...
    ROOT/refytvos/meta_expressions/valid/meta_expressions.json    of valid and test together,
    ROOT/refytvos/meta_expressions/test/meta_expressions.json     unless this tells them apart

    ROOT/davis17/valid/JPEGImages/VIDEO/00000.jpg ...
    ROOT/davis17/valid/mask_dict.pkl                              a row of RLEs for every expression
    ROOT/davis17/valid/Annotations/VIDEO/00000.png ...            numbered objects, 255 void; not needed
    ROOT/davis17/meta_expressions/valid/meta_expressions.json

Frames stay in the order of the table; videos are sorted.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from virst_cli.bench.annotators import ANNOTATORS, described_by_four, merge
from virst_cli.bench.datasets.mask_files import MaskTable
from virst_cli.bench.datasets.on_disk import DiskSet
from virst_cli.bench.datasets.place import Place
from virst_cli.bench.datasets.tables import Video, read_pickle, read_videos
from virst_cli.bench.samples import Expression, Hidden, Labels, Sample
from virst_cli.errors import UsageError
from virst_cli.files.shown import shown
from virst_cli.video.frame_folder import open_picture

META, TEST = (f"meta_expressions/{split}/meta_expressions.json" for split in ("valid", "test"))
PICTURES, MASKS, ANNOTATIONS = "valid/JPEGImages", "valid/mask_dict.pkl", "valid/Annotations"
VALIDATION_VIDEOS = 202  # of Ref-YouTube-VOS
LAYOUT = "https://github.com/wjn922/ReferFormer/blob/main/docs/data.md"
YOUTUBE = Place("Ref-YouTube-VOS", ("refytvos", "Ref-Youtube-VOS"), (META,), f"{PICTURES}/VIDEO/00000.jpg ...", LAYOUT)
MASK_TABLE = "https://github.com/cilinyan/VISA"  # which has mask_dict.pkl
DAVIS = Place(
    "Ref-DAVIS17", ("davis17",), (META, MASKS), f"{PICTURES}/VIDEO/00000.jpg ...", f"{LAYOUT} and its {MASKS} from {MASK_TABLE}"
)


class YoutubeSet(DiskSet):
    """The validation videos of Ref-YouTube-VOS, sorted by name; a server scores them. Raises `UsageError` if it isn't there."""

    def __init__(self, root: Path | None) -> None:
        self.folder = YOUTUBE.find(root)
        meta, test = self.folder / META, self.folder / TEST
        videos = read_videos(meta, sort_frames=False)
        others = read_videos(test, sort_frames=False).keys() if test.is_file() else set()
        if not others and len(videos) > VALIDATION_VIDEOS:
            raise UsageError(
                f"{shown(meta)} has {len(videos)} videos, more than the {VALIDATION_VIDEOS} of the validation split: put the "
                f"table of the test split, which tells them apart, to {shown(test)}"
            )
        chosen = {name: videos[name] for name in sorted(videos.keys() - others)}
        if not chosen:
            raise UsageError(f"all videos of {shown(meta)} are in {shown(test)}, too, so none is left; fetch them again")
        super().__init__("ref-youtube-vos", meta, self.folder / PICTURES, chosen, archive="Annotations/")

    def _sample(self, video: Video) -> Sample:
        return self._with_frames(video, [Expression(said.id, said.text, Hidden()) for said in video.said])


class DavisSet(DiskSet):
    """The validation videos of Ref-DAVIS17, sorted by name. Raises `UsageError` if the set isn't there or lacks a mask."""

    def __init__(self, root: Path | None) -> None:
        self.folder = DAVIS.find(root)
        meta, masks = self.folder / META, self.folder / MASKS
        videos = read_videos(meta, sort_frames=False)
        super().__init__("ref-davis17", meta, self.folder / PICTURES, {name: videos[name] for name in sorted(videos)})
        # the table of masks counts expressions through all videos, in this order: 0, 1, 10, 11, 2 ...
        places = [(video.name, key) for video in self._videos for key in sorted(said.id for said in video.said)]
        self._rows = {place: str(number) for number, place in enumerate(places)}
        self._masks = MaskTable(read_pickle(masks), masks)
        self._masks.check((video, said.id, [self._rows[video.name, said.id]]) for video in self._videos for said in video.said)
        self._by_four = all(described_by_four(said.id for said in video.said) for video in self._videos)

    def _sample(self, video: Video) -> Sample:
        rows = [self._rows[video.name, said.id] for said in video.said]
        said = [
            Expression(said.id, said.text, self._masks.union(video, [row], f"/{said.id}"))
            for said, row in zip(video.said, rows, strict=True)
        ]
        size = self._masks.size(rows)
        return self._with_frames(video, said, size, labels=self._labels(video, said, size) if self._by_four else None)

    def _labels(self, video: Video, said: list[Expression], size: tuple[int, int] | None) -> Labels:
        """The annotation pictures, where they are, else the objects as the first annotator's sentences mean them."""
        pictures = self.folder / ANNOTATIONS / video.name
        if pictures.is_dir():
            return LabelFiles([pictures / f"{name}.png" for name in video.frames])
        objects = sorted((e for e in said if int(e.id) % ANNOTATORS == 0), key=lambda e: int(e.id))
        return MergedTruth(objects, size or (1, 1))


class LabelFiles:
    """Annotation pictures, read when looked at. Raises `UsageError` for one that is missing or isn't a picture of labels."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def __getitem__(self, frame: int) -> NDArray[np.uint8]:
        with open_picture(self._files[frame]) as picture:
            if picture.mode not in ("P", "L"):
                raise UsageError(f"{shown(self._files[frame])}: not a picture of numbered objects; fetch the data set again")
            try:
                return np.asarray(picture)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                raise UsageError(f"{shown(self._files[frame])}: damaged ({error}); fetch the data set again") from None


class MergedTruth:
    """The true masks of several objects as one picture of labels."""

    def __init__(self, objects: list[Expression], size: tuple[int, int]) -> None:
        self._objects, self._size = objects, size

    def __getitem__(self, frame: int) -> NDArray[np.uint8]:
        return merge([expression.truth[frame] for expression in self._objects], self._size)
