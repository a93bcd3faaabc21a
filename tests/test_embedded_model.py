"""The model that comes with the tool answers: far better than guessing, and because of what it is asked."""

import pytest

import virst_cli
from virst_cli.bench import run_benchmark
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.checkpoints.find import EMBEDDED, embedded
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.config import VIRST_NANO


def test_it_is_whole_small_and_of_the_preset():
    folder = ModelFolder.open(embedded())
    folder.verify()
    assert folder.config == VIRST_NANO
    assert sum(file.stat().st_size for file in embedded().iterdir()) < 20_000_000


@pytest.mark.slow
def test_it_beats_the_baselines_on_clips_that_it_never_saw():
    report = run_benchmark(WorldSet(videos=12, seed=3), virst_cli.load(EMBEDDED, device="cpu"), name=EMBEDDED).as_dict()
    ours = report["scores"]["J&F"]
    others = {name: baseline["scores"]["J&F"] for name, baseline in report["baselines"].items()}
    print("virst-nano", ours, others)
    assert ours >= 50
    assert ours >= max(others.values()) + 10
