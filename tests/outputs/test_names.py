"""Names made from sentences are short, unique, and never lead out of their folder."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virst_cli.outputs.names import MAX_SLUG_LENGTH, RESERVED, run_folder, slug, slugs

TEXT = st.text(st.characters(), max_size=400)  # surrogates and control characters too
NASTY = [
    "",
    " ",
    "../../etc/passwd",
    "/",
    "\x00",
    "a" * 300,
    "🙂",
    "CON",
    "nul",
    "Com1",
    "lpt¹",
    "..",
    "𠀀" * 90,
    "İ" * 80,
]


def good(name: str) -> bool:
    plain = all(c.isalnum() or c == "-" for c in name)
    return plain and 0 < len(name) <= MAX_SLUG_LENGTH and len(name.encode()) <= 220 and name not in RESERVED


@given(TEXT)
def test_any_sentence_gives_a_good_name(sentence):
    name = slug(sentence)
    assert good(name)
    assert not name.startswith("-")
    assert not name.endswith("-")


@pytest.mark.parametrize("sentence", NASTY)
def test_a_nasty_sentence_gives_a_valid_file_name(sentence, tmp_path):
    name = slug(sentence)
    assert good(name)
    (tmp_path / f"{name}.overlay.mp4.partial").touch()
    assert [file.parent for file in tmp_path.rglob("*")] == [tmp_path]


def test_a_plain_sentence_is_readable():
    assert slug("The dog that jumps last!") == "the-dog-that-jumps-last"
    assert slug("Der Hund, größer als 2 Katzen") == "der-hund-größer-als-2-katzen"
    assert slug("最后跳的狗") == "最后跳的狗"


def test_the_same_letters_written_differently_give_the_same_name():
    assert slug("caf\u00e9") == slug("cafe\u0301") == "café"


@given(st.lists(st.one_of(TEXT, st.sampled_from(["a", "A", "a-2", "a 2", "all", "ß", "ss", *NASTY])), max_size=20))
def test_names_of_one_run_are_unique_and_in_order(sentences):
    names = slugs(sentences)
    assert len(names) == len(sentences)
    assert len({name.casefold() for name in names}) == len(names)
    assert all(good(name) for name in names)


def test_a_repeated_name_gets_a_number_and_stays_short():
    assert slugs(["A dog", "a dog.", "a dog 2"]) == ["a-dog", "a-dog-2", "a-dog-2-2"]
    first, second = slugs(["a" * 300, "a" * 300])
    assert (len(first), second) == (60, "a" * 58 + "-2")


def test_the_name_all_is_reserved_for_the_overlay_of_all_sentences():
    assert slugs(["all"]) == ["all"]
    assert slugs(["all", "x"]) == ["all-2", "x"]


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("clip.mp4", "clip.virst"),
        ("a.b.mov", "a.b.virst"),
        ("-x.mp4", "-x.virst"),
        (".mp4", ".mp4.virst"),
        ("a\nb.mp4", "a-b.virst"),
    ],
)
def test_a_run_folder_has_the_name_of_its_video(video, name, tmp_path):
    assert run_folder(tmp_path / video, Path("out")) == Path("out") / name


def test_a_folder_of_frames_keeps_its_whole_name(tmp_path, monkeypatch):
    frames = tmp_path / "clip.v2"
    frames.mkdir()
    monkeypatch.chdir(frames)
    assert run_folder(frames, tmp_path).name == "clip.v2.virst"
    assert run_folder(Path(), tmp_path).name == "clip.v2.virst"


def test_a_linked_video_keeps_the_name_of_the_link(tmp_path):
    (tmp_path / "blob").touch()
    (tmp_path / "clip.mp4").symlink_to("blob")
    assert run_folder(tmp_path / "clip.mp4", tmp_path).name == "clip.virst"


@given(st.text(st.characters(), min_size=1, max_size=300))
def test_a_run_folder_lies_in_the_output_folder_and_is_one_line(stem):
    folder = run_folder(Path("/v") / (re.sub("[/\0]", "_", stem) + ".mp4"), Path("/out"))
    assert folder.parent == Path("/out")
    assert len(folder.name.splitlines()) == 1
