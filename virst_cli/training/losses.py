"""The losses of the published training (spec `training`, section 1), and those that training from nothing needs on top.

A model with a pre-trained language model and a pre-trained SAM2 learns from masks alone. From nothing, masks say too
little too late; the losses below the line tell every part directly what it should know.
"""

import torch.nn.functional as F
from torch import Tensor


def bce(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean binary cross entropy of every row: logits and truth (R,H,W) -> (R,)."""
    return F.binary_cross_entropy_with_logits(logits, truth, reduction="none").flatten(1).mean(1)


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """One minus the Dice coefficient, sums scaled by 1/1000 as published, (R,H,W) -> (R,)."""
    p, g = logits.sigmoid().flatten(1), truth.flatten(1)
    overlap = (p * g).sum(1) / 1000
    return 1 - (2 * overlap + 1e-6) / (p.sum(1) / 1000 + g.sum(1) / 1000 + 1e-6)


def true_iou(logits: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of the thresholded masks, without gradient, (R,H,W) -> (R,)."""
    p, g = logits.detach() > 0, truth > 0.5
    return (p & g).flatten(1).sum(1) / ((p | g).flatten(1).sum(1) + 1e-6)


def mask_loss(masks: Tensor, truth: Tensor) -> Tensor:
    """4 BCE + Dice of every candidate mask (R,M,h,w) at half the size of the truth (R,H,W), over rows that show something.

    At half the size it costs a quarter, and the edges (a share of each pixel there) are still supervised.
    """
    small = F.avg_pool2d(truth, 2)
    logits = F.interpolate(masks.float(), size=small.shape[-2:], mode="bilinear", align_corners=False)
    logits, small = logits.flatten(0, 1), small.repeat_interleave(masks.shape[1], 0)
    found = 4 * bce(logits, small) + dice(logits, small)
    return over_shown(found.unflatten(0, masks.shape[:2]).mean(1), truth)


def over_shown(values: Tensor, truth: Tensor) -> Tensor:
    """Mean of values (R,) over the rows whose truth (R,H,W) shows something; 0 where none does."""
    shown = truth.flatten(1).any(1).float()
    return (values * shown).sum() / shown.sum().clamp(min=1)


def candidate_ious(masks: Tensor, truth: Tensor) -> Tensor:
    """True IoU (R,M) of every candidate mask (R,M,h,w) with the truth (R,H,W), at the size of the masks, without gradient."""
    small = F.interpolate(truth[:, None], size=masks.shape[-2:], mode="area")[:, 0]
    return true_iou(masks.flatten(0, 1), small.repeat_interleave(masks.shape[1], 0)).view(masks.shape[:2])


def iou_loss(ious: Tensor, actual: Tensor) -> Tensor:
    """How far the predicted IoU (R,M) of every candidate mask is from the true one (R,M)."""
    return (ious.float() - actual).abs().mean()


def region_similarity(ious: Tensor, actual: Tensor, truth: Tensor) -> Tensor:
    """J of the candidate with the best predicted IoU, over rows that show something (1 if none): no loss, but what to look at.

    ious, actual (R,M): predicted and true; truth (R,H,W).
    """
    best = actual.gather(1, ious.argmax(1, keepdim=True))[:, 0]
    return 1 - over_shown(1 - best, truth)


def presence_loss(score: Tensor, truth: Tensor) -> Tensor:
    """Object score (R,1) against whether the truth (R,H,W) shows anything."""
    return F.binary_cross_entropy_with_logits(score[:, 0].float(), truth.flatten(1).any(1).float())


# --- help for training from nothing ---------------------------------------------------------------------------------------------


def mass_on_target(logits: Tensor, weights: Tensor) -> Tensor:
    """Minus log of the softmax mass on the target: logits (...,K), weights (...,K) in 0..1; rows without target do not count.

    Weights broadcast. Not by logsumexp: most of its exponentials are too small for normal numbers, and on CPUs that takes 3 to 16
    times as long.
    """
    loss = -(logits.float().softmax(-1) * (weights + 1e-6)).sum(-1).log()
    has = (weights.amax(-1) > 0).expand_as(loss)
    return (loss * has).sum() / has.sum().clamp(min=1)


def soft_cross_entropy(logits: Tensor, share: Tensor) -> Tensor:
    """Cross entropy against a distribution, both (...,K)."""
    return -(share * logits.float().log_softmax(-1)).sum(-1).mean()


def class_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross entropy (...,C) against labels (...), negative labels left out, weighted by class."""
    return F.cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), weight=weights, ignore_index=-1)
