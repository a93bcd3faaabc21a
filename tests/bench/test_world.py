"""The synthetic world as a benchmark: held out, repeatable, and with baselines that one can check by hand."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bench.models import Hasty, Oracle, Silent
from virst_cli.bench import BenchProgress, Expression, Sample, open_dataset, run_benchmark
from virst_cli.bench.baselines import LARGEST, RANDOM, SHUFFLED, object_baselines, shuffled_sentences
from virst_cli.bench.datasets.world import KEY, WorldSet
from virst_cli.bench.samples import Image
from virst_cli.errors import UsageError, VirstError
from virst_cli.world import TYPES, make_clip

SMALL = WorldSet(videos=6, frames=8, size=(64, 64))


def test_the_same_seed_gives_the_same_videos_and_another_gives_others() -> None:
    first, again, other = SMALL[2], WorldSet(videos=3, frames=8, size=(64, 64))[2], WorldSet(3, 1, 8, (64, 64))[2]
    assert np.array_equal(first.frames, again.frames)
    assert [e.text for e in first.expressions] == [e.text for e in again.expressions]
    assert not np.array_equal(first.frames, other.frames)


@pytest.mark.parametrize("key", [[KEY, 0, 2, 0], [KEY, 0, 2], [KEY, 0, 2, 0, 0], [0, 2]])
def test_no_key_of_training_or_of_virst_world_draws_its_clips(key: list[int]) -> None:
    clip = make_clip(np.random.default_rng(key), frames=8, size=(64, 64), sentences=6)
    assert not np.array_equal(clip.frames, SMALL[2].frames)


def test_the_oracle_gets_everything_right_and_silence_only_what_is_not_there() -> None:
    found = run_benchmark(SMALL, Oracle(SMALL), name="oracle").as_dict()
    assert found["scores"] == {"J": 100.0, "F": 100.0, "J&F": 100.0}
    assert found["answered_empty"] == {"nothing": 100.0, "others": 0.0}
    assert set(found["by_type"]) <= set(TYPES)
    assert sum(scores["n"] for scores in found["by_type"].values()) == found["expressions"]
    assert (found["schema_version"], found["dataset"], found["model"], found["videos"]) == (1, "world", "oracle", 6)
    assert found["missing"] == []
    assert found["fps"] > 0
    assert found["peak_memory_bytes"] > 2**20
    silent = run_benchmark(SMALL, Silent(), name="silent").as_dict()
    assert silent["answered_empty"] == {"nothing": 100.0, "others": 100.0}
    assert silent["by_type"]["nothing"] == found["by_type"]["nothing"]
    assert silent["scores"]["J"] < 50


def test_all_sentences_of_a_video_are_asked_in_one_call_and_the_shuffled_ones_in_another() -> None:
    model = Oracle(SMALL)
    run_benchmark(SMALL, model, name="oracle", limit=1)
    assert model.calls == [[e.text for e in SMALL[0].expressions], shuffled_sentences(SMALL, 0)]


def test_baselines_are_reported_by_type_for_the_same_sentences() -> None:
    found = run_benchmark(SMALL, Oracle(SMALL), name="oracle").as_dict()
    assert set(found["baselines"]) == {LARGEST, RANDOM, SHUFFLED}
    for baseline in found["baselines"].values():
        assert {name: s["n"] for name, s in baseline["by_type"].items()} == {name: s["n"] for name, s in found["by_type"].items()}
        assert 0 < baseline["scores"]["J&F"] < 100


def test_the_object_baselines_are_the_largest_and_the_mean_over_all_objects() -> None:
    objects = np.zeros((2, 20, 20), np.uint8)
    objects[:, :10, :10] = 3  # the numbers need not be dense
    objects[0, 15:, 15:] = 7
    small = Expression("0", "the small one", [objects[0] == 7, None], "size")
    large = Expression("1", "the large one", [objects[0] == 3, objects[1] == 3], "size")
    sample = Sample("v", ["0", "1"], [], [small, large], objects)
    rows = object_baselines(sample, objects)
    assert [row.j for row in rows[LARGEST]] == [0.0, 1.0]
    assert [row.j for row in rows[RANDOM]] == [0.5, 0.5]  # the small one is right about its own absence


def test_without_objects_the_baselines_find_nothing() -> None:
    objects = np.zeros((1, 8, 8), np.uint8)
    sample = Sample("v", ["0"], [], [Expression("0", "a dog", [None], "nothing")], objects)
    rows = object_baselines(sample, objects)
    assert [row.j for row in rows[LARGEST] + rows[RANDOM]] == [1.0, 1.0]


def test_shuffled_sentences_come_from_the_next_video_whatever_the_shard() -> None:
    texts = [e.text for e in SMALL[0].expressions]
    assert (shuffled_sentences(SMALL, 5) or [])[: len(texts)] == texts[: len(SMALL[5].expressions)]
    assert shuffled_sentences(WorldSet(videos=1), 0) is None


def test_one_video_has_no_shuffled_baseline() -> None:
    one = WorldSet(videos=1, frames=8, size=(64, 64))
    assert set(run_benchmark(one, Oracle(one), name="oracle").baselines) == {LARGEST, RANDOM}


def test_shards_split_the_set_without_gap_or_overlap() -> None:
    model = Oracle(SMALL)
    whole = run_benchmark(SMALL, model, name="oracle", limit=5)
    parts = [run_benchmark(SMALL, model, name="oracle", limit=5, shard=(i, 3)) for i in (1, 2, 3)]
    assert [part.videos for part in parts] == [2, 2, 1]
    rows = [row for part in parts for row in part.expression_scores]
    assert sorted(rows, key=lambda r: (r.video, r.expression)) == list(whole.expression_scores)


@pytest.mark.parametrize(("limit", "shard"), [(0, (1, 1)), (None, (0, 2)), (None, (3, 2)), (2, (3, 3)), (None, (1, 0))])
def test_a_choice_that_leaves_no_video_is_refused(limit: int | None, shard: tuple[int, int]) -> None:
    with pytest.raises(UsageError):
        run_benchmark(SMALL, Silent(), name="silent", limit=limit, shard=shard)


def test_a_model_that_loses_a_frame_is_found_out() -> None:
    with pytest.raises(VirstError, match="only 7 frames"):
        run_benchmark(SMALL, Hasty(), name="hasty")


def test_only_the_time_of_the_model_counts_and_all_of_it() -> None:
    class Slow(Silent):
        def segment_frames(self, frames: Sequence[Image], sentences: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
            time.sleep(0.2)  # in the call itself, before the first mask is asked for
            return super().segment_frames(frames, sentences)

    def dawdle(_: BenchProgress) -> None:
        time.sleep(0.1)

    fps = run_benchmark(WorldSet(1, frames=8, size=(64, 64)), Slow(), name="slow", progress=dawdle).fps
    assert fps is not None
    assert 8 / 0.6 < fps <= 8 / 0.2  # 0.8 s of dawdling would make it 8 at most


def test_the_set_ends_where_it_says() -> None:
    assert len(open_dataset("world")) == 64
    with pytest.raises(IndexError):
        SMALL[6]
    with pytest.raises(UsageError):
        WorldSet(videos=0)
