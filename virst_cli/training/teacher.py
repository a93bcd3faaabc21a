"""A model in training: the steps of its forward pass, and the objectives that need only masks, as published.

The model is always in eval mode: it has no dropout, and SAM 2 then tracks in training exactly as it does in use. The objectives
of training from random weights are in `world_teacher`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from virst_cli.errors import UsageError
from virst_cli.model.config import CLIP_FRAMES, SEG_TOKENS
from virst_cli.model.fusion import QueriesAndKeys
from virst_cli.model.pixels import normalise
from virst_cli.model.seg_model import FrameFeatures, Tracked
from virst_cli.model.virst import Virst
from virst_cli.model.vision_tower import TrunkPatches
from virst_cli.tracking.frame_selection import evenly_spaced
from virst_cli.training import losses
from virst_cli.training.packing import PackedLayout
from virst_cli.training.recipe import Objective
from virst_cli.training.training_batch import TrainingBatch

Losses = dict[str, Tensor]  # by name; J is logged, but not optimised
ANCHOR_GAPS = (3, 9)  # at least, less than: frames from one anchor to the next, as virst-nano has in chunks of 100 to 256 frames
MAX_ATTENTION = 256  # sentences times squared frames per call of the SegPrompter on a CPU: what its cache holds

ObjectiveFunction = Callable[[Any, int, torch.Generator], Losses]  # batch, sampled frames, random choices


@dataclass
class EncodedFrames:
    """The features of a batch's frames from both encoders."""

    features: FrameFeatures  # of B*T frames
    tower: Tensor  # B,T,cells,Cv

    def at(self, rows: Tensor) -> FrameFeatures:
        """SAM 2's features of some of the B*T frames."""
        return FrameFeatures(*(level[rows] for level in self.features))


@dataclass
class FramePrompts:
    """The SegPrompter's mask prompts of R sentences for every frame."""

    prompts: Tensor  # R,10,T,C
    grids: Tensor  # R,T,cells,C   its keys: the frames
    attention: Tensor  # R,layers,n,T,T*cells   before the softmax; see `_supervised_part`


class Teacher(nn.Module):
    """A model in training. Raises UsageError for a model without a shared trunk, which can't be trained here."""

    def __init__(self, model: Virst) -> None:
        super().__init__()
        self.model = model.eval()
        # SAM 2 and the tower see the same pixels, so in training they share one trunk, which runs once per frame.
        patches = model.vision.vision_tower.patch_embed
        if not isinstance(patches, TrunkPatches):
            raise UsageError(
                f"{model.config.name} can't be trained here; use --init virst-nano or a model that was tuned from it"
            )
        patches.trunk = model.fusion.seg_model.image_encoder.trunk
        self._maps: list[Tensor] = []
        patches.trunk.register_forward_hook(lambda _, __, maps: self._maps.__setitem__(slice(None), maps))
        self._raw: list[tuple[Tensor, ...]] = []
        model.fusion.seg_model.sam_mask_decoder.register_forward_hook(lambda _, __, out: self._raw.append(out))

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return self.model.language_model.get_parameter("norm.weight").device

    def few_tokens(self) -> AbstractContextManager[None]:
        """Attention for some hundred tokens: on CPUs the backward pass of the fused kernel takes two to five times as long."""
        return sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()

    # --- forward pass --------------------------------------------------------------------------------------

    def encode(self, batch: TrainingBatch) -> EncodedFrames:
        """The features of all frames from SAM 2's image encoder and the vision tower."""
        clips, frames = batch.images.shape[:2]
        images = normalise(batch.images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        features = self.model.fusion.seg_model.encode(images)
        vision_tower = self.model.vision.vision_tower
        assert isinstance(vision_tower.patch_embed, TrunkPatches)
        patches = vision_tower.patch_embed.project(self._maps, frames=CLIP_FRAMES)
        tower = vision_tower.attend(patches, frames=CLIP_FRAMES)  # B*T/4,4*cells,Cv
        return EncodedFrames(features, tower.reshape(clips, frames, -1, tower.shape[-1]))

    def reason(self, batch: TrainingBatch, encoded: EncodedFrames) -> Tensor:
        """[SEG] states (B,S,10,D) from the frames and the sentences."""
        tokens = encoded.tower.reshape(-1, CLIP_FRAMES * encoded.tower.shape[2], encoded.tower.shape[3])
        visual = self.model.vision.mm_projector(tokens)
        return self.seg_states(batch, visual.reshape(len(batch.prompts), -1, visual.shape[-1]))

    def seg_states(self, batch: TrainingBatch, visual: Tensor) -> Tensor:
        """[SEG] states (B,S,10,D) from visual tokens (B,V,D); V may be 0."""
        embed = self.model.language_model.embed_tokens
        layout = PackedLayout.of(batch.prompts, visual.shape[1], self.device)
        prefix = embed(torch.tensor(batch.prompts[0][0].prefix, device=self.device)).expand(len(visual), -1, -1)
        embeddings = torch.cat([prefix, visual.to(prefix.dtype), embed(layout.tokens)], 1)
        hidden = self.model.language_model(embeddings, layout.positions, layout.mask())
        return hidden[torch.arange(len(visual), device=self.device)[:, None, None], layout.seg_places]

    def decode(self, features: FrameFeatures, prompts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Masks (R,3,h,w), predicted IoU (R,3) and object score (R,1) of R frames from their prompts (R,10,C)."""
        seg = self.model.fusion.seg_model
        size = features.coarse.shape[-2:]
        with self.few_tokens():
            masks, ious, _, score = seg.sam_mask_decoder(
                image_embeddings=features.coarse + seg.no_mem_embed[0, 0, :, None, None],
                image_pe=seg.sam_prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=prompts,
                dense_prompt_embeddings=seg.sam_prompt_encoder.no_mask_embed.weight[0, :, None, None].expand(
                    len(prompts), -1, *size
                ),
                multimask_output=True,
                repeat_image=False,
                high_res_features=[features.fine, features.middle],
            )
        self._raw.clear()
        return masks, ious, score

    def grids(self, batch: TrainingBatch, encoded: EncodedFrames) -> Tensor:
        """The SegPrompter's frame tokens (R,T,cells,C), repeated for each of R = B*S sentences."""
        clips, frames = batch.images.shape[:2]
        grids = self.model.fusion.seg_prompter.grids(encoded.features.coarse.unflatten(0, (clips, frames)))  # B,T,cells,C
        return grids.repeat_interleave(batch.targets.shape[1], 0)

    def fuse(self, batch: TrainingBatch, encoded: EncodedFrames, states: Tensor) -> FramePrompts:
        """Mask prompts from [SEG] states (B,S,10,D), R = B*S."""
        grids = self.grids(batch, encoded)
        rows = max(1, MAX_ATTENTION // grids.shape[1] ** 2) if self.device.type == "cpu" else len(grids)
        with self.few_tokens():
            parts = [
                self._prompts_and_attention(*part)
                for part in zip(states.flatten(0, 1).split(rows), grids.split(rows), strict=True)
            ]
        prompts, attention = (torch.cat(part) for part in zip(*parts, strict=True))
        return FramePrompts(prompts, grids, attention)

    def _prompts_and_attention(self, states: Tensor, grids: Tensor) -> tuple[Tensor, Tensor]:
        """Mask prompts and supervised attention of some rows."""
        layers: list[QueriesAndKeys] = []
        prompts = self.model.fusion.seg_prompter.mask_prompts(states, grids, layers)
        if not layers:  # a model without cross-attention in its SegPrompter
            return prompts, prompts.new_zeros(len(prompts), 0)
        return prompts, torch.stack([_supervised_part(layer).logits().flatten(1, 2) for layer in layers], 1)

    # --- objectives ----------------------------------------------------------------------------------------------

    @property
    def objectives(self) -> Mapping[Objective, ObjectiveFunction]:
        """The function that computes the losses of each objective."""
        return {Objective.TUNE: self.tune_losses, Objective.PROPAGATE: self.propagate_losses}

    def losses(self, objective: Objective, batch: TrainingBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """The losses of an objective for a batch.

        sampled_frames: frames per sentence whose masks are decoded, if the objective samples frames.
        generator: makes all random choices.
        """
        return self.objectives[objective](batch, sampled_frames, generator)

    def mask_losses(
        self,
        batch: TrainingBatch,
        encoded: EncodedFrames,
        prompts: FramePrompts,
        targets: Tensor,
        sampled_frames: int,
        generator: torch.Generator,
    ) -> Losses:
        """Losses of the masks of some random frames per sentence, and of the SegPrompter's attention; targets (B,S,K) bool."""
        clips, queries = targets.shape[:2]
        frames = batch.images.shape[1]
        query = torch.arange(clips * queries, device=self.device).repeat_interleave(sampled_frames)
        clip = query // queries
        time = torch.rand(clips * queries, frames, generator=generator).argsort(1)[:, :sampled_frames].flatten().to(self.device)
        decoded = self.decode(encoded.at(clip * frames + time), prompts.prompts[query, :, time])
        found = _losses_of_masks(*decoded, batch.masks(clip, time, targets.flatten(0, 1)[query]))
        return {**found, "attention": _attention_loss(prompts.attention, batch.share(targets).flatten(0, 1))}

    def tune_losses(self, batch: TrainingBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Losses of masks alone, as published; the user's videos have no other labels."""
        encoded = self.encode(batch)
        prompts = self.fuse(batch, encoded, self.reason(batch, encoded))
        return self.mask_losses(batch, encoded, prompts, batch.targets, sampled_frames, generator)

    def propagate_losses(self, batch: TrainingBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Losses of propagated masks: anchors come from frozen prompts and are spread as in use, all other frames from memory.

        The truth of a propagated frame is what the anchors' masks show, even where that is not what the sentence means.
        """
        clips, frames, queries = *batch.images.shape[:2], batch.targets.shape[1]
        seg = self.model.fusion.seg_model
        with torch.no_grad():
            encoded = self.encode(batch)
            prompts = self.fuse(batch, encoded, self.reason(batch, encoded)).prompts
        clip = torch.arange(clips, device=self.device).repeat_interleave(queries)
        targets = batch.targets.flatten(0, 1)

        def at(time: int) -> FrameFeatures:
            return encoded.at(clip * frames + time)

        def losses_at(time: int, things: Tensor) -> Losses:
            masks, ious, _, score = self._raw.pop()
            return _losses_of_masks(masks, ious, score, batch.masks(clip, torch.full_like(clip, time), things))

        self._raw.clear()
        anchors: dict[int, Tracked] = {}
        recent: dict[int, Tracked] = {}
        anchor_losses: list[Losses] = []
        propagated_losses: list[Losses] = []
        gap = int(torch.randint(*ANCHOR_GAPS, (), generator=generator))
        with self.few_tokens():
            for t in evenly_spaced(frames, -(-frames // gap)):  # also frames before the first and after the last
                anchors[t] = seg.anchor(at(t), prompts[:, :, t].contiguous())
                anchor_losses.append(losses_at(t, targets))
            shown = batch.shown(clip, {t: anchor.logits[:, 0] for t, anchor in anchors.items()})
            for t in sorted(set(range(frames)) - set(anchors)):
                recent[t] = seg.propagate(at(t), t, anchors, recent, frames)
                propagated_losses.append({**losses_at(t, shown), **self.memory_losses(batch, t, clip, shown)})
        found = _mean(propagated_losses)
        # the decoder also learns here, and must not forget how to decode anchors
        return {**found, **{name: (found[name] + value) / 2 for name, value in _mean(anchor_losses).items() if name != "J"}}

    def memory_losses(self, batch: TrainingBatch, time: int, clip: Tensor, targets: Tensor) -> Losses:
        """Further losses of a propagated frame; none here.

        clip: clip of each row, (R,).
        targets: things that the anchors show, (R,K) bool.
        """
        return {}


def _supervised_part(attention: QueriesAndKeys) -> QueriesAndKeys:
    """The part of the attention that the attention loss supervises: half of the heads and two of the ten tokens, to save time."""
    half = attention.keys.shape[1] // 2
    content = None if attention.content is None else attention.content[:, :half]
    return QueriesAndKeys(attention.queries[:, :half, :: SEG_TOKENS // 2], attention.keys[:, :half], content)


def _losses_of_masks(masks: Tensor, ious: Tensor, score: Tensor, truth: Tensor) -> Losses:
    """Losses of candidate masks (R,3,h,w), predicted IoU (R,3) and object score (R,1) against the truth (R,H,W) float."""
    actual = losses.candidate_ious(masks, truth)
    return {
        "mask": losses.mask_loss(masks, truth),
        "iou": losses.iou_loss(ious, actual),
        "object": losses.presence_loss(score, truth),
        "J": losses.region_similarity(ious, actual, truth),
    }


def _mean(found: Sequence[Losses]) -> Losses:
    return {name: torch.stack([each[name] for each in found]).mean() for name in found[0]}


def _attention_loss(logits: Tensor, share: Tensor) -> Tensor:
    """Loss of attention that is not on the target's cells in the query's own frame.

    logits: (R,layers,n,T,T*cells).
    share: share of each cell that the target covers, (R,T,cells).
    """
    if logits.numel() == 0:
        return logits.new_zeros(())
    rows, frames, cells = share.shape
    weights = share.new_zeros(rows, frames, frames, cells)
    times = torch.arange(frames, device=share.device)
    weights[:, times, times] = cell_weights(share)
    return losses.mass_on_target(logits, weights.flatten(2)[:, None, None])


def cell_weights(share: Tensor) -> Tensor:
    """Weight of each cell as part of the target, 0 to 1, from the share of it that the target covers (...,cells).

    The best covered cell of a frame weighs 1, cells of which the target covers 5% or less weigh 0.
    """
    return ((share / share.amax(-1, keepdim=True).clamp(min=0.25)) * (share > 0.05)).clamp(max=1)
