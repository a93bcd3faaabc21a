"""A jobs file becomes one task per video with its sentences, and everything is checked."""

from pathlib import Path

import pytest

from virst_cli.batch import BatchSettings, Task, plan_batch
from virst_cli.errors import SentenceError, UsageError, WeightsError


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    return tmp_path / "jobs.csv"


def planned(jobs: Path, *rows: str, model: Path) -> list[Task]:
    jobs.write_text("video,text\n" + "".join(f"{row}\n" for row in rows))
    return list(plan_batch(jobs, BatchSettings(model=str(model), output=Path("out"))).tasks)


def test_lines_of_one_video_are_one_task_wherever_they_stand_and_however_its_path_is_written(
    jobs: Path, random_model: Path, tmp_path: Path
):
    rows = [
        "a.mp4,the dog",
        "b.mp4,the cat",
        f"{tmp_path}/a.mp4,the cat",
        f"../{tmp_path.name}/a.mp4,the dog",
        "link.mp4,the dog",
    ]
    assert planned(jobs, *rows, model=random_model) == [
        Task("a.mp4", tmp_path / "a.mp4", ("the dog", "the cat"), Path("out/a.virst")),
        Task("b.mp4", tmp_path / "b.mp4", ("the cat",), Path("out/b.virst")),
        Task("link.mp4", tmp_path / "link.mp4", ("the dog",), Path("out/link.virst")),
    ]


def test_a_sentence_that_is_refused_names_its_line(jobs: Path, random_model: Path):
    with pytest.raises(SentenceError, match=r"jobs\.csv, line 3: the sentence contains \[seg\]"):
        planned(jobs, "a.mp4,the dog", "a.mp4,the [SEG] dog", model=random_model)


def test_unknown_words_of_all_sentences_are_listed_once(jobs: Path, random_model: Path):
    jobs.write_text("video,text\na.mp4,the zebra\nb.mp4,the zebra gnu\n")
    assert plan_batch(jobs, BatchSettings(model=str(random_model))).unknown_words == ("zebra", "gnu")


def test_a_models_folder_is_passed_on_as_an_absolute_path(jobs: Path, random_model: Path, monkeypatch: pytest.MonkeyPatch):
    jobs.write_text("video,text\na.mp4,the dog\n")
    monkeypatch.chdir(random_model.parent)
    assert plan_batch(jobs, BatchSettings(model="random")).model == str(random_model)


def test_wrong_options_are_refused_while_planning(jobs: Path):
    jobs.write_text("video,text\na.mp4,the dog\n")
    with pytest.raises(UsageError, match="gif"):
        plan_batch(jobs, BatchSettings(formats=["gif"]))
    with pytest.raises(WeightsError, match="virst weights pull virst-7b"):
        plan_batch(jobs, BatchSettings(model="virst-7b"))
