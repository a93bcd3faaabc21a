"""Twenty sentences about one video: one look, one pass through the layers, and the answers of twenty single runs."""

from collections import Counter

import numpy as np
import pytest
import torch

from tests.small_model import SMALL, write
from virst_cli.checkpoints.stream import LayerStream
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.residency import Residency
from virst_cli.model.config import CLIP_FRAMES
from virst_cli.model.virst import Vision
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.video.video import Frame
from virst_cli.world import make_clip
from virst_cli.world.things import COLOURS, KINDS

SENTENCES = [f"the {colour} {kind}" for colour in list(COLOURS)[:5] for kind in list(KINDS)[:4]]
CLOSE = {torch.float32: 2e-6, torch.bfloat16: 5e-3}  # of object scores: sums of longer sequences are added up in another order
EDGE = {torch.float32: 0.0, torch.bfloat16: 1e-2}  # share of pixels whose logits lie that close to 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return ModelFolder.open(write(tmp_path_factory.mktemp("model") / "small"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the tower looked at a clip, and how often the layers were passed."""
    counts: Counter[str] = Counter()
    look, layers = Vision.forward, LayerStream.__iter__

    def looked(self: Vision, frames: torch.Tensor) -> torch.Tensor:
        counts["looks"] += 1
        return look(self, frames)

    def passed(self: LayerStream):
        counts["passes"] += 1
        for layer in layers(self):
            counts["layers"] += 1
            yield layer

    monkeypatch.setattr(Vision, "forward", looked)
    monkeypatch.setattr(LayerStream, "__iter__", passed)
    return counts


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_twenty_sentences_take_one_look_and_one_pass_and_get_the_answers_of_twenty_runs(model, dtype, counted: Counter[str]):
    frames = [Frame(index, index / 8, rgb) for index, rgb in enumerate(make_clip(3, frames=8, size=(96, 80)).frames)]
    segmenter = Segmenter(model, device=torch.device("cpu"), dtype=dtype, residency=Residency.NOTHING)
    together = list(segmenter.stream(frames, SENTENCES, expected=8))
    assert counted == {"looks": 8 // CLIP_FRAMES, "passes": 1, "layers": SMALL.language.layers}
    assert len(SENTENCES) == together[0].masks.shape[0] == 20
    scores = np.stack([answer.scores for answer in together])
    assert scores.std(axis=1).max() > 10 * CLOSE[torch.float32]  # the sentences matter
    assert all(answer.masks.any() for answer in together)
    for place, sentence in enumerate(SENTENCES):
        for answer, alone in zip(together, segmenter.stream(frames, [sentence], expected=8), strict=True):
            np.testing.assert_allclose(answer.scores[place], alone.scores[0], atol=CLOSE[dtype])
            assert (answer.masks[place] ^ alone.masks[0]).mean() <= EDGE[dtype]
    assert counted["passes"] == 1 + len(SENTENCES)
