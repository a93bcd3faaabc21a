"""The losses of the published training, and those that training from random weights needs too.

Masks are enough for a model with a pre-trained language model and a pre-trained SAM 2. From random weights they teach too
little, too late, so the losses in the second part supervise each part of the model directly.
"""

import torch.nn.functional as F
from torch import Tensor


def bce(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean binary cross entropy (R,) of each row of logits and truth, both (R,H,W)."""
    return F.binary_cross_entropy_with_logits(logits, truth, reduction="none").flatten(1).mean(1)


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """One minus the Dice coefficient (R,) of each row of logits and truth (R,H,W); sums are scaled by 1/1000 as published."""
    p, g = logits.sigmoid().flatten(1), truth.flatten(1)
    overlap = (p * g).sum(1) / 1000
    return 1 - (2 * overlap + 1e-6) / (p.sum(1) / 1000 + g.sum(1) / 1000 + 1e-6)


def true_iou(logits: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union (R,) of masks thresholded at 0 with the truth, both (R,H,W), without gradient."""
    p, g = logits.detach() > 0, truth > 0.5
    return (p & g).flatten(1).sum(1) / ((p | g).flatten(1).sum(1) + 1e-6)


def mask_loss(masks: Tensor, truth: Tensor) -> Tensor:
    """Mean of 4 BCE + Dice over all candidate masks (R,M,h,w) of the rows whose truth (R,H,W) shows something.

    It is computed at half the size of the truth, where it costs a quarter; pixels at edges then are partly covered.
    """
    small = F.avg_pool2d(truth, 2)
    logits = F.interpolate(masks.float(), size=small.shape[-2:], mode="bilinear", align_corners=False)
    logits, small = logits.flatten(0, 1), small.repeat_interleave(masks.shape[1], 0)
    found = 4 * bce(logits, small) + dice(logits, small)
    return over_shown(found.unflatten(0, masks.shape[:2]).mean(1), truth)


def over_shown(values: Tensor, truth: Tensor) -> Tensor:
    """Mean of values (R,) over the rows whose truth (R,H,W) shows something; 0 if there are none."""
    shown = truth.flatten(1).any(1).float()
    return (values * shown).sum() / shown.sum().clamp(min=1)


def candidate_ious(masks: Tensor, truth: Tensor) -> Tensor:
    """True IoU (R,M) of every candidate mask (R,M,h,w) with the truth (R,H,W), at the size of the masks, without gradient."""
    small = F.interpolate(truth[:, None], size=masks.shape[-2:], mode="area")[:, 0]
    return true_iou(masks.flatten(0, 1), small.repeat_interleave(masks.shape[1], 0)).view(masks.shape[:2])


def iou_loss(ious: Tensor, actual: Tensor) -> Tensor:
    """Mean absolute error of the predicted IoU (R,M) of the candidate masks; `actual` is the true IoU (R,M)."""
    return (ious.float() - actual).abs().mean()


def region_similarity(ious: Tensor, actual: Tensor, truth: Tensor) -> Tensor:
    """J of the candidate with the highest predicted IoU, over the rows that show something (1 if none); for the log only.

    ious: predicted IoU (R,M).
    actual: true IoU (R,M).
    truth: (R,H,W).
    """
    best = actual.gather(1, ious.argmax(1, keepdim=True))[:, 0]
    return 1 - over_shown(1 - best, truth)


def presence_loss(score: Tensor, truth: Tensor) -> Tensor:
    """Binary cross entropy of the object score (R,1); the truth (R,H,W) is positive if it shows anything."""
    return F.binary_cross_entropy_with_logits(score[:, 0].float(), truth.flatten(1).any(1).float())


# --- for training from random weights ------------------------------------------------------------------------------------------


def mass_on_target(logits: Tensor, weights: Tensor) -> Tensor:
    """Mean of minus the log of the softmax mass on the target, over the rows with a target.

    logits: (...,K).
    weights: how much each of the K is the target, 0 to 1; broadcast to the logits.

    It does not use logsumexp, most of whose exponentials would be denormal numbers: on CPUs that takes 3 to 16 times as long.
    """
    loss = -(logits.float().softmax(-1) * (weights + 1e-6)).sum(-1).log()
    has = (weights.amax(-1) > 0).expand_as(loss)
    return (loss * has).sum() / has.sum().clamp(min=1)


def soft_cross_entropy(logits: Tensor, share: Tensor) -> Tensor:
    """Mean cross entropy of logits against a distribution `share`, both (...,K)."""
    return -(share * logits.float().log_softmax(-1)).sum(-1).mean()


def class_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross entropy of logits (...,C) against labels (...). Labels of -1 are ignored.

    weights: of each class, (C,).
    """
    return F.cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), weight=weights, ignore_index=-1)
