"""A worker opens the model once for many videos, returns errors as results, and repeats no finished work."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.batch.clips import write_clip
from virst_cli.batch import BatchSettings, Task
from virst_cli.batch.worker import Worker
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.residency import Residency
from virst_cli.model.prompt import PromptBuilder
from virst_cli.stages import ignore_progress

SENTENCES = ("the red dog", "all the birds")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / f"{seed}.mp4", seed=seed) for seed in range(2)]


def tasks(clips: list[Path], sentences: tuple[str, ...] = SENTENCES) -> list[Task]:
    return [Task(clip.name, clip, sentences, Path("out") / f"{clip.stem}.virst") for clip in clips]


def worker(model: Path, here: Path, **settings: Any) -> Worker:
    return Worker(str(model), BatchSettings(formats=["mask-video"], **settings), here, "cpu")


def test_the_model_is_opened_once_for_all_videos(
    clips: list[Path], random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    built: Counter[str] = Counter()
    real = ModelFolder.build

    def counted(self: ModelFolder, make: Any, prefix: str, **options: Any) -> Any:
        built[prefix] += 1
        return real(self, make, prefix, **options)

    monkeypatch.setattr(ModelFolder, "build", counted)
    work = worker(random_model, tmp_path)
    outcomes = [work(task, ignore_progress) for task in tasks(clips)]
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [outcome.frames for outcome in outcomes] == [4, 4]
    assert built == {"vision.": 1, "language_model.": 1, "fusion.": 1}


def test_the_tokenizer_is_read_once_for_all_videos(
    clips: list[Path], random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    reads: list[Path] = []
    real = PromptBuilder.from_file

    def counted(path: Path) -> PromptBuilder:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(PromptBuilder, "from_file", counted)
    work = worker(random_model, tmp_path)
    assert [work(task, ignore_progress).error for task in tasks(clips)] == [None, None]
    assert reads == [random_model / "tokenizer.json"]


def test_masks_are_the_same_whether_or_not_the_model_stays_in_memory(clips: list[Path], random_model: Path, tmp_path: Path):
    masks = []
    for stay in Residency:
        work = worker(random_model, tmp_path / stay.value)
        work._segmenter.parts.residency = stay
        assert [work(task, ignore_progress).error for task in tasks(clips)] == [None, None]
        masks.append([(tmp_path / stay.value / task.folder / "masks.jsonl").read_bytes() for task in tasks(clips)])
    assert masks[0] == masks[1] == masks[2]


@pytest.mark.parametrize(
    ("free", "stays"), [(10**10, Residency.EVERYTHING), (10**7, Residency.NOTHING), (None, Residency.NOTHING)]
)
def test_a_large_model_stays_in_memory_where_there_is_room(
    free: int | None, stays: Residency, random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("virst_cli.checkpoints.sizes.SMALL_MODEL_BYTES", 0)
    monkeypatch.setattr("virst_cli.segmenter.load.free_bytes", lambda: free)
    assert worker(random_model, tmp_path)._segmenter.parts.residency is stays


def test_a_finished_run_of_another_request_is_refused_and_left_alone(clips: list[Path], random_model: Path, tmp_path: Path):
    (first, *_) = tasks(clips)
    assert worker(random_model, tmp_path)(first, ignore_progress).error is None
    before = (tmp_path / first.folder / "run.json").read_bytes()
    (changed, *_) = tasks(clips, ("the cat",))
    for work, task in ((worker(random_model, tmp_path), changed), (worker(random_model, tmp_path, chunk=2), first)):
        error = work(task, ignore_progress).error
        assert error is not None
        assert "0.virst holds a finished run of another video, sentence, model or setting; delete it" in error
    assert (tmp_path / first.folder / "run.json").read_bytes() == before
    replaced = worker(random_model, tmp_path, overwrite=True)(changed, ignore_progress)
    assert replaced.run is not None
    assert replaced.run["sentences"] == ["the cat"]


def test_an_error_becomes_an_outcome_with_a_message_of_one_line(
    clips: list[Path], random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    work = worker(random_model, tmp_path)
    (task, *_) = tasks(clips)

    def failing_stream(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(work._segmenter, "stream", failing_stream)
        outcome = work(task, ignore_progress)
    assert outcome.error is not None
    assert outcome.error.startswith("out of memory (peak ")
    assert outcome.trace is not None
    assert "DefaultCPUAllocator" in outcome.trace
    assert (outcome.found, outcome.frames, outcome.files) == ([False, False], 0, ())
    assert work(task, ignore_progress).error is None
