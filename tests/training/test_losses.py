"""The published losses, against their formulas written out."""

import pytest
import torch

from virst_cli.training import losses


def test_dice_is_one_minus_twice_the_overlap_over_the_sum():
    logits, truth = torch.randn(3, 8, 8), (torch.rand(3, 8, 8) > 0.5).float()
    p = logits.sigmoid()
    expected = [
        1 - (2 * (p[row] * truth[row]).sum() / 1000 + 1e-6) / (p[row].sum() / 1000 + truth[row].sum() / 1000 + 1e-6)
        for row in range(3)
    ]
    torch.testing.assert_close(losses.dice(logits, truth), torch.stack(expected))


def test_a_perfect_mask_costs_nothing():
    truth = torch.zeros(1, 16, 16)
    truth[0, 4:10, 2:12] = 1  # on even lines: at half the size its edges are whole pixels
    sure = (truth * 2 - 1) * 50
    assert losses.mask_loss(sure[:, None], truth).item() == pytest.approx(0, abs=1e-3)
    assert losses.true_iou(sure, truth).item() == pytest.approx(1)


def test_rows_without_a_target_do_not_count_for_masks():
    masks = torch.randn(2, 3, 8, 8, requires_grad=True)
    losses.mask_loss(masks, torch.zeros(2, 8, 8)).backward()
    assert masks.grad is not None
    assert not masks.grad.any()


def test_similarity_is_that_of_the_best_candidate_where_something_is_shown():
    ious, actual = torch.tensor([[0.2, 0.9], [0.9, 0.1]]), torch.tensor([[0.8, 0.5], [0.3, 0.6]])
    truth = torch.zeros(2, 4, 4)
    assert losses.region_similarity(ious, actual, truth).item() == 1
    truth[0] = 1
    assert losses.region_similarity(ious, actual, truth).item() == pytest.approx(0.5)


def test_attention_that_lies_on_the_target_costs_nothing():
    weights = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    on, off = torch.tensor([[-50.0, 3.0, 3.0, -50.0]]), torch.tensor([[3.0, -50.0, -50.0, 3.0]])
    assert losses.mass_on_target(on, weights).item() == pytest.approx(0, abs=1e-3)
    assert losses.mass_on_target(off, weights).item() > 5


def test_a_row_without_a_target_is_no_reason_to_learn():
    assert losses.mass_on_target(torch.randn(2, 4), torch.zeros(2, 4)).item() == 0


def test_presence_is_whether_the_truth_shows_anything():
    truth = torch.zeros(2, 4, 4)
    truth[0, 0, 0] = 1
    assert losses.presence_loss(torch.tensor([[20.0], [-20.0]]), truth).item() == pytest.approx(0, abs=1e-6)
    assert losses.presence_loss(torch.tensor([[-20.0], [20.0]]), truth).item() == pytest.approx(20, abs=1e-3)
