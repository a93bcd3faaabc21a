"""Tuning to one's own videos: new words are learned, others stay, and what is trained is a model that answers."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from virst_cli.checkpoints.find import embedded
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.errors import UsageError
from virst_cli.training.setup import TrainingJob
from virst_cli.training.vocabulary import with_words, word_tokenizer
from virst_cli.world import vocabulary, write_mevis


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    write_mevis(root, videos=2, seed=5, frames=24, size=(160, 96))
    meta = root / "mevis/valid_u/meta_expressions.json"
    meta.write_text(meta.read_text().replace('"exp": "the ', '"exp": "the shaggy '))
    return root


def test_new_words_are_added_behind_those_that_are_known():
    before = word_tokenizer(vocabulary())
    after = with_words(before, ["dog", "zebra", "shaggy"])
    assert after.get_vocab_size() == before.get_vocab_size() + 2
    assert after.encode("the shaggy dog?").ids[::2] == before.encode("the shaggy dog?").ids[::2]
    assert after.encode("Please find the dog").ids == before.encode("Please find the dog").ids
    assert "[UNK]" not in after.encode("zebra shaggy").tokens


def test_a_batch_holds_the_masks_of_its_sentences(clips):
    source = TrainingJob(Path(), init=embedded(), dataset="mevis", root=clips).trainer().source
    batch = source([(1, 2)], clips=2, frames=8, sentences=3, types=())
    assert batch.images.shape == (2, 8, 3, 128, 128)
    clip, time = torch.tensor([0, 1]), torch.tensor([3, 5])
    rows = batch.masks(clip, time, batch.targets[clip, 1])
    np.testing.assert_array_equal(rows.numpy() > 0.5, batch.truth[clip, time, 1].numpy())
    share = batch.share(batch.targets)  # B,S,T,cells
    np.testing.assert_allclose(share.mean(-1), batch.truth.float().mean((-1, -2)).transpose(1, 2), atol=1e-5)
    assert torch.equal(source([(1, 2)], clips=2, frames=8, sentences=3).truth, batch.truth)


def test_another_process_can_draw_them(clips):
    source = TrainingJob(Path(), init=embedded(), dataset="mevis", root=clips).trainer().source
    there = pickle.loads(pickle.dumps(source))
    batches = [each([(1, 2)], clips=2, frames=8, sentences=3) for each in (source, there)]
    assert torch.equal(batches[0].images, batches[1].images)
    assert torch.equal(batches[0].truth, batches[1].truth)


def test_a_tuned_model_keeps_its_rows_and_grows_where_it_must(clips, tmp_path):
    many = clips / "mevis/valid_u/meta_expressions.json"
    text = many.read_text()
    many.write_text(text.replace('"exp": "', '"exp": "' + " ".join(f"w{i}" for i in range(150)) + " ", 1))
    try:
        trainer = TrainingJob(tmp_path, init=embedded(), dataset="mevis", root=clips).trainer()
    finally:
        many.write_text(text)
    before = ModelFolder.open(embedded())
    rows = before.config.language.vocabulary
    assert trainer.config.language.vocabulary == trainer.prompts.tokenizer.get_vocab_size() > rows
    known = before.rows("language_model.embed_tokens.weight", torch.arange(rows))
    torch.testing.assert_close(trainer.model.language_model.embed_tokens.weight[:rows].detach(), known.float())


def test_a_data_set_that_lacks_frames_is_refused(clips, tmp_path):
    write_mevis(tmp_path, videos=1, seed=1, frames=8)
    next((tmp_path / "mevis/valid_u/JPEGImages").rglob("*.jpg")).unlink()
    with pytest.raises(UsageError, match="lacks"):
        TrainingJob(tmp_path, init=embedded(), dataset="mevis", root=tmp_path).trainer()


@pytest.mark.slow
def test_tuning_makes_the_masks_of_those_videos_better(clips, tmp_path):
    trainer = TrainingJob(tmp_path, init=embedded(), dataset="mevis", root=clips, stages=("tune",), effort=0.1).trainer()
    found: list[dict[str, float]] = []
    assert trainer.run(lambda progress: found.append(progress.losses))
    assert found[-1]["mask"] < found[0]["mask"]
