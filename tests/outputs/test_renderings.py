"""The renderings of a run have the right names and contents, and are complete or do not exist."""

import signal
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from virst_cli.errors import OutputError, UsageError
from virst_cli.outputs.record import Record
from virst_cli.outputs.renderings import FORMATS, Renderings, _cutout, parse_formats, planned, render
from virst_cli.outputs.style import Style
from virst_cli.video.video import Frame, Video

ALL = list(FORMATS)
WIDTH, HEIGHT = 53, 31  # odd numbers, multiples of no block size
FRAMES = 4

# a process that adds frames until it is killed, and prints when it has added three
CHILD = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from virst_cli.outputs.renderings import FORMATS, Renderings
renderings = Renderings(Path(sys.argv[1]), ["a dog"], formats=list(FORMATS), size=(64, 48), rate=Fraction(24))
for index in range(10**9):
    renderings.write(index, index / 24, np.zeros((48, 64, 3), np.uint8), np.zeros((1, 48, 64), bool))
    if index == 3:
        print("three", flush=True)
"""


def masks(index, count=1):
    made = np.zeros((count, HEIGHT, WIDTH), np.bool_)
    made[:, 8:20, 10 + index : 30 + index] = True
    made[1:, :, 40:] = True
    return made


def frames(count=FRAMES, size=(WIDTH, HEIGHT)):
    return [Frame(index, index / 24, np.full((size[1], size[0], 3), 120, np.uint8)) for index in range(count)]


def rendered(folder, sentences, **options):
    with Renderings(folder, sentences, **({"formats": ALL, "size": (WIDTH, HEIGHT), "rate": Fraction(24)} | options)) as made:
        for frame in frames():
            made.write(frame.index, frame.time, frame.rgb, masks(frame.index, len(sentences)))
        return made.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_one_sentence_has_one_file_of_each_kind(tmp_path):
    folder = tmp_path / "new" / "run"
    paths = rendered(folder, ["A dog"])
    assert names(folder) == ["a-dog", "a-dog.cutout.mov", "a-dog.mask.mp4", "a-dog.overlay.mp4"]
    assert sorted(path.name for path in paths) == names(folder)
    assert paths == planned(folder, ["A dog"], ALL)


def test_several_sentences_have_files_of_their_own_and_one_overlay_together(tmp_path):
    rendered(tmp_path, ["a dog", "a dog"], formats=["overlay"])
    assert names(tmp_path) == ["a-dog-2.overlay.mp4", "a-dog.overlay.mp4", "all.overlay.mp4"]


def test_masks_come_back_exactly_at_display_size_from_video_and_png(tmp_path):
    rendered(tmp_path, ["a dog", "a cat"])
    for number, name in enumerate(["a-dog", "a-cat"]):
        video = [frame.rgb[..., 0] >= 128 for frame in Video.open(tmp_path / f"{name}.mask.mp4").frames()]
        png = [np.asarray(Image.open(tmp_path / name / f"{index:05d}.png")) for index in range(FRAMES)]
        assert len(video) == FRAMES
        for index in range(FRAMES):
            expected = masks(index, 2)[number]
            assert np.array_equal(video[index], expected)
            assert np.array_equal(png[index], expected * 255)


def test_overlays_show_their_own_sentence_and_all_shows_all(tmp_path):
    rendered(tmp_path, ["a dog", "a cat"], formats=["overlay"], label=False, opacity=1.0)
    first = {
        name: next(Video.open(tmp_path / f"{name}.overlay.mp4").frames()).rgb.astype(int) for name in ("a-dog", "a-cat", "all")
    }
    shown = {name: [abs(rgb[y, x] - 120).max() > 20 for y, x in ((14, 14), (28, 50))] for name, rgb in first.items()}
    assert shown == {"a-dog": [True, False], "a-cat": [True, True], "all": [True, True]}


def test_side_by_side_is_twice_as_wide(tmp_path):
    rendered(tmp_path, ["a dog"], formats=["overlay"], style=Style.parse("side-by-side"))
    assert next(Video.open(tmp_path / "a-dog.overlay.mp4").frames()).rgb.shape == (HEIGHT, 2 * WIDTH, 3)


def test_a_cutout_hides_nothing_under_its_transparency(tmp_path):
    picture = _cutout(frames()[0].rgb, masks(0)[0])
    assert picture[14, 14].tolist() == [120, 120, 120, 255]
    assert picture[0, 0].tolist() == [0, 0, 0, 0]


def test_an_exception_leaves_the_old_files_and_no_new_ones(tmp_path):
    rendered(tmp_path, ["a dog"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    def cut_off():
        with Renderings(tmp_path, ["a dog"], formats=ALL, size=(WIDTH, HEIGHT), rate=Fraction(24)) as made:
            made.write(0, 0.0, frames()[0].rgb, masks(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_if_one_file_can_not_be_opened_none_is_left(tmp_path):
    (tmp_path / "a-dog.cutout.mov.partial").mkdir()  # in the way
    with pytest.raises(OutputError):
        Renderings(tmp_path, ["a dog"], formats=ALL, size=(WIDTH, HEIGHT), rate=Fraction(24))
    assert names(tmp_path) == ["a-dog.cutout.mov.partial"]


def test_a_kill_leaves_no_final_name_and_the_next_run_is_not_disturbed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"three\n"
        child.send_signal(signal.SIGKILL)
    assert all(name.endswith(".partial") for name in names(tmp_path))
    rendered(tmp_path, ["a dog"])
    assert names(tmp_path) == ["a-dog", "a-dog.cutout.mov", "a-dog.mask.mp4", "a-dog.overlay.mp4"]


def test_a_record_is_rendered_on_its_video(run):
    record = Record.open(run)
    height, width = record.size
    with Renderings(run, record.sentences, formats=["png"], size=(width, height), rate=Fraction(24)) as made:
        render(record, frames(6, (width, height)), made)
        paths = made.close()
    assert [path.name for path in paths] == ["the-dog-that-jumps-last", "the-cat"]
    for row in record:
        for mask, path in zip(row.masks, paths, strict=True):
            assert np.array_equal(np.asarray(Image.open(path / f"{row.index:05d}.png")), mask * 255)


@pytest.mark.parametrize(("count", "size", "why"), [(5, (17, 11), "ends after 5"), (6, (11, 17), "11x17.*17x11")])
def test_another_video_is_noticed(run, count, size, why):
    record = Record.open(run)

    def renders():
        with Renderings(run, record.sentences, formats=["png"], size=(17, 11), rate=Fraction(24)) as made:
            render(record, frames(count, size), made)

    with pytest.raises(OutputError, match=why):
        renders()
    assert names(run) == ["masks.jsonl", "run.json"]


def test_frames_that_do_not_fit_are_a_value_error(tmp_path):
    with Renderings(tmp_path, ["a dog"], formats=["png"], size=(WIDTH, HEIGHT), rate=Fraction(24)) as made:
        with pytest.raises(ValueError, match="53x31"):
            made.write(0, 0.0, frames()[0].rgb, masks(0, 2))
        with pytest.raises(ValueError, match="53x31"):
            made.write(0, 0.0, frames()[0].rgb[:-1], masks(0))


def test_formats_are_read_from_repeated_options_and_lists():
    assert parse_formats(["png,Overlay", "png"]) == ["overlay", "png"]
    for wrong in ([], [""], ["gif"], ["png,gif"]):
        with pytest.raises(UsageError, match="overlay, mask-video, png, cutout"):
            parse_formats(wrong)
