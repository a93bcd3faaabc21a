"""What is written in the MeViS layout reads back as the clips that were drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from virst_cli.errors import OutputError, UsageError
from virst_cli.world import make_clip, write_mevis
from virst_cli.world.write_mevis import clip_key


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools with numpy 2
def test_the_written_data_set_holds_the_same_frames_sentences_and_masks(tmp_path: Path) -> None:
    write_mevis(tmp_path, videos=3, seed=5, size=(96, 64), frames=9)
    root = tmp_path / "mevis" / "valid_u"
    videos = json.loads((root / "meta_expressions.json").read_text())["videos"]
    masks = json.loads((root / "mask_dict.json").read_text())
    assert len(videos) == 3
    for number, (name, video) in enumerate(videos.items()):
        clip = make_clip(np.random.default_rng(clip_key(5, number)), frames=9, size=(96, 64), sentences=6)
        assert video["frames"] == [f"{t:05d}" for t in range(9)]
        stored = sorted((root / "JPEGImages" / name).iterdir())
        assert [p.stem for p in stored] == video["frames"]
        pictures = np.stack([np.asarray(Image.open(p)) for p in stored])
        assert pictures.shape == clip.frames.shape
        assert abs(pictures.astype(int) - clip.frames).mean() < 8  # JPEG halves the resolution of colour noise
        assert [e["exp"] for e in video["expressions"].values()] == [s.text for s in clip.sentences]
        for expression, sentence in zip(video["expressions"].values(), clip.sentences, strict=True):
            union = np.zeros((9, 64, 96), dtype=bool)
            for anno in expression["anno_id"]:
                for t, rle in enumerate(masks[str(anno)]):
                    assert rle is None or (rle["size"] == [64, 96] and isinstance(rle["counts"], str))
                    if rle is not None:
                        union[t] |= coco.decode(rle).astype(bool)
            assert np.array_equal(union, clip.masks(sentence))


def test_an_existing_data_set_is_not_overwritten(tmp_path: Path) -> None:
    write_mevis(tmp_path, videos=1, seed=1, size=(32, 32), frames=2)
    with pytest.raises(OutputError, match="already"):
        write_mevis(tmp_path, videos=1, seed=2, size=(32, 32), frames=2)


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_mevis(tmp_path / "file", videos=1, seed=1, size=(32, 32), frames=2)
    with pytest.raises(UsageError, match="--videos must be at least 1"):
        write_mevis(tmp_path, videos=0, seed=1)
