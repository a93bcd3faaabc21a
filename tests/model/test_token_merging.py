"""Token merging on numbers small enough to check by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from virst_cli.model.token_merging import merge_round, schedule


@pytest.mark.parametrize(
    ("tokens", "target", "rounds"),
    [
        (3136, 64, [1568, 784, 392, 196, 98, 34]),  # a clip of four frames, as published
        (784, 64, [392, 196, 98, 34]),  # a single image
        (99, 64, [35]),
        (7, 2, [3, 2]),  # an odd count loses at most its floor half
        (64, 64, []),
        (10, 64, []),
    ],
)
def test_a_round_removes_at_most_half(tokens, target, rounds):
    assert schedule(tokens, target) == rounds


@given(st.integers(1, 5000), st.integers(1, 100))
def test_the_schedule_ends_at_the_target(tokens, target):
    assert tokens - sum(schedule(tokens, target)) == min(tokens, target)


def test_the_most_similar_pair_becomes_its_mean_and_kept_even_tokens_come_first():
    #            even          odd           even          odd
    x = [[3.0, 0.0], [0.0, 2.0], [0.0, 4.0], [1.0, 0.0]]  # 0 fits 3 and 2 fits 1, both perfectly: the earlier goes
    tokens, sizes = merge_round(torch.tensor([x]), torch.ones(1, 4, 1), remove=1, heads=1)
    assert tokens.tolist() == [[[0.0, 4.0], [0.0, 2.0], [2.0, 0.0]]]
    assert sizes.flatten().tolist() == [1, 1, 2]


def test_among_equal_odd_tokens_the_first_is_chosen():
    tokens, sizes = merge_round(torch.ones(1, 6, 2), torch.ones(1, 6, 1), remove=3, heads=1)
    assert sizes.flatten().tolist() == [4, 1, 1]
    assert tokens.tolist() == [[[1.0, 1.0]] * 3]


def test_an_odd_count_keeps_an_even_token_in_front():
    x = torch.tensor([[[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]])  # 0 and 1 are alike, 2 is left over
    tokens, sizes = merge_round(x, torch.ones(1, 3, 1), remove=1, heads=1)
    torch.testing.assert_close(tokens, torch.tensor([[[0.0, 1.0], [1.0, 0.05]]]))
    assert sizes.flatten().tolist() == [1, 2]


def test_tokens_weigh_as_many_as_they_stand_for():
    x = torch.tensor([[[4.0, 0.0], [1.0, 0.0]]])
    tokens, sizes = merge_round(x, torch.tensor([[[3.0], [1.0]]]), remove=1, heads=1)
    assert tokens.tolist() == [[[3.25, 0.0]]]
    assert sizes.flatten().tolist() == [4]


def test_merging_keeps_the_weighted_sum_of_all_tokens():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 37, 8, generator=generator)
    tokens, sizes = x, torch.ones(2, 37, 1)
    for remove in schedule(37, 5):
        tokens, sizes = merge_round(tokens, sizes, remove, heads=2)
    torch.testing.assert_close((tokens * sizes).sum(1), x.sum(1), atol=1e-5, rtol=1e-5)
    assert sizes.sum(1).flatten().tolist() == [37, 37]
