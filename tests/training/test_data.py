"""Batches: what is supervised is what the clips show."""

import numpy as np
import torch

from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.compression import through_h264
from virst_cli.training.data import AROUND, WorldClips, collate
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.world import TYPES, make_clip, vocabulary

PROMPTS = PromptBuilder(word_tokenizer(vocabulary()))


def test_the_same_seed_gives_the_same_batch_and_another_seed_another():
    def batch(*seed: int):
        return WorldClips(PROMPTS, 64)([seed], clips=2, frames=8, sentences=3)

    assert torch.equal(batch(1, 2).images, batch(1, 2).images)
    assert batch(1, 2).prompts == batch(1, 2).prompts
    assert not torch.equal(batch(1, 2).images, batch(1, 3).images)


def test_the_truth_of_a_row_is_the_mask_of_its_sentence():
    clips = [make_clip(seed, frames=8, sentences=4) for seed in range(3)]
    batch = collate(clips, PROMPTS, 4, 128)
    for b, clip in enumerate(clips):
        for s, sentence in enumerate(clip.sentences[:4]):
            truth = batch.masks(torch.tensor([b]), torch.tensor([5]), batch.targets[b, s][None])
            np.testing.assert_array_equal(truth[0].bool().numpy(), clip.masks(sentence)[5])


def test_cells_say_how_much_of_them_a_sentence_covers():
    clip = make_clip(3, frames=8, sentences=2)
    batch = collate([clip], PROMPTS, 2, 128)
    share = batch.share(batch.targets)[0, 0]  # T,cells
    mask = clip.masks(clip.sentences[0])
    np.testing.assert_allclose(share.numpy().sum(1) * 16 * 16, mask.sum((1, 2)), rtol=1e-5)


def test_of_events_in_order_only_the_first_or_the_last_is_the_moment():
    clips = [make_clip(seed, frames=24, sentences=4, types=["order"]) for seed in range(30)]
    batch = collate(clips, PROMPTS, 4, 128)
    several = 0
    for b, clip in enumerate(clips):
        for s, sentence in enumerate(clip.sentences):
            (target,) = sentence.targets
            starts = [e.start for e in clip.things[target].events if e.name == sentence.event]
            decisive = starts[0 if sentence.which == "first" else -1]
            marked = batch.moments[b, s, :, target].nonzero()[:, 0]
            others = [t for t in starts if abs(t - decisive) > 2 * AROUND]
            assert decisive in marked and not set(others) & set(marked.tolist()), sentence.text
            several += len(others)
    assert several > 10, "nothing was left out"


def test_a_mask_tells_which_things_it_shows():
    clips = [make_clip(seed, frames=8, sentences=2, types=["attribute"]) for seed in range(3)]
    batch = collate(clips, PROMPTS, 2, 128)
    clip = torch.arange(3)
    other = ~batch.targets[:, 0] & (batch.kind >= 0)  # not what was asked for: what the mask shows counts
    for wanted in (batch.targets[:, 0], other, torch.zeros_like(other)):
        found = {t: 20 * batch.masks(clip, torch.full((3,), t), wanted) - 10 for t in (2, 5)}
        assert torch.equal(batch.shown(clip, found), wanted)


def test_compressed_clips_are_the_same_clips_smoother():
    clips = np.stack([make_clip(seed, frames=8).frames for seed in range(3)])
    back = through_h264(clips, 40)
    assert back.shape == clips.shape and back.dtype == clips.dtype
    far = np.abs(back.astype(int) - clips).mean((1, 2, 3, 4))
    assert far.min() > 2 and far.max() < 20  # noise of 5 is smoothed away; nothing else is
    assert np.array_equal(back, through_h264(clips, 40))


def test_a_compressed_clip_begins_anew():
    clips = np.stack([make_clip(seed, frames=8).frames for seed in range(2)])
    (alone,) = through_h264(clips[1:], 40)
    beside = through_h264(clips, 40)[1]
    near = np.abs(alone.astype(int) - beside).mean()
    assert near < 0.5 * np.abs(alone.astype(int) - clips[1]).mean()


def test_a_batch_of_two_seeds_is_the_clips_of_both():
    source = WorldClips(PROMPTS, 64)
    both, first, second = (source(keys, clips=2, frames=8, sentences=2) for keys in ([(1,), (2,)], [(1,)], [(2,)]))
    assert torch.equal(both.images, torch.cat([first.images, second.images]))
    assert torch.equal(both.ids, torch.cat([first.ids, second.ids]))
    assert [*both.prompts] == [*first.prompts, *second.prompts]


def test_every_sentence_of_the_world_is_within_the_vocabulary():
    unknown = PROMPTS.tokenizer.token_to_id("[UNK]")
    for seed in range(60):
        for sentence in make_clip(seed, sentences=6).sentences:
            prompt = PROMPTS.build(sentence.text)
            assert unknown not in prompt.ids, sentence.text
            assert len(prompt.seg_positions) == 10


def test_a_word_that_the_world_does_not_know_is_named():
    assert PROMPTS.unknown_words("The zebra that jumps over the dog") == ["zebra"]
    assert PROMPTS.unknown_words("Which dog jumps last?") == []


def test_types_are_as_asked_for():
    batch = WorldClips(PROMPTS, 64)([(0,)], clips=4, frames=8, sentences=2, types=("nothing",))
    assert not batch.targets.any()
    assert set(TYPES) >= {"order", "nothing"}


def test_clips_of_any_shape_come_out_square_with_their_masks_still_on_their_things():
    clip = make_clip(5, frames=8, size=(192, 108), sentences=2)
    batch = collate([clip], PROMPTS, 2, 128)
    assert batch.images.shape == (1, 8, 3, 128, 128)
    whole, small = clip.ids > 0, batch.ids[0].numpy() > 0
    np.testing.assert_allclose(small.mean(), whole.mean(), atol=0.01)
    assert batch.centre.max() < 2  # in shares of the sides, not in pixels


def test_the_moments_of_a_sentence_are_those_in_which_its_targets_do_what_it_says():
    seen = 0
    for seed in range(40):
        clip = make_clip(seed, frames=8, sentences=4, types=("motion", "order"))
        batch = collate([clip], PROMPTS, 4, 128)
        for s, sentence in enumerate(clip.sentences[:4]):
            assert sentence.event is not None
            for k, thing in enumerate(clip.things):
                done = {t for e in thing.events if e.name == sentence.event for t in range(e.start - AROUND, e.end + AROUND)}
                marked = set(batch.moments[0, s, :, k].nonzero()[:, 0].tolist())
                assert marked <= done
                assert bool(marked) == (k in sentence.targets)
                seen += bool(marked)
    assert seen > 40
