"""Every video has a run folder of its own, whatever the names of the videos are."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from virst_cli.batch.run_folders import run_folders


def named(*videos: str) -> list[str]:
    return [str(folder) for folder in run_folders([Path(video) for video in videos], Path("out"))]


def test_names_that_differ_stay_as_they_are():
    assert named("/v/one.mp4", "/v/two.mp4") == ["out/one.virst", "out/two.virst"]


def test_videos_of_the_same_name_get_their_folders_name_in_front():
    assert named("/v/a/clip.mp4", "/v/one.mp4", "/v/b/clip.mp4") == ["out/a-clip.virst", "out/one.virst", "out/b-clip.virst"]


def test_names_that_are_still_the_same_are_numbered_in_order():
    assert named("/v/clip.mp4", "/v/clip.mov", "/w/v/clip.mp4") == [f"out/v-clip{n}.virst" for n in ("", "-2", "-3")]


def test_a_unique_name_is_kept():
    assert named("/a/clip.mp4", "/b/clip.mp4", "/v/a-clip.mp4") == ["out/a-clip-2.virst", "out/b-clip.virst", "out/a-clip.virst"]


def test_names_that_differ_only_in_case_count_as_the_same():
    assert named("/a/Clip.mp4", "/b/clip.mp4") == ["out/a-Clip.virst", "out/b-clip.virst"]


NAMES = st.sampled_from(
    ["clip.mp4", "CLIP.mp4", "clip.mov", "a-clip.mp4", "clip-2.mp4", "x" * 240 + ".mp4", "x" * 240 + ".mov", "\n.mp4"]
)
VIDEOS = st.builds(lambda above, name: Path("/v") / above / name, st.sampled_from(["a", "b", "a/b", "c\td", "y" * 240]), NAMES)


@given(st.lists(VIDEOS, unique=True))
def test_no_two_videos_share_a_folder_and_none_leaves_the_output_folder(videos: list[Path]):
    folders = run_folders(videos, Path("out"))
    assert len({folder.name.casefold() for folder in folders}) == len(videos)
    for folder in folders:
        assert folder.parent == Path("out")
        assert folder.suffix == ".virst"
        assert folder.name.isprintable()
        assert len(folder.name.encode()) <= 255
