"""A model in training: its forward pass in pieces, and the losses of the published training, which need masks alone.

The model is always in eval mode: there is no dropout, and SAM 2 then tracks in training exactly as it does in use.
`world_teacher` adds what training from nothing needs beyond masks.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

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
from virst_cli.tracking.schedule import evenly_spaced
from virst_cli.training import losses
from virst_cli.training.packing import PackedLayout
from virst_cli.training.recipe import Objective
from virst_cli.training.training_batch import TrainingBatch

Losses = dict[str, Tensor]


class ObjectiveLosses(Protocol):
    """The losses of one objective, by name."""

    def __call__(self, batch: Any, sampled_frames: int, generator: torch.Generator) -> Losses:
        """batch: of the kind that the teacher teaches. sampled_frames: as in `BatchShape`. generator: of all random choices."""
        ...


ANCHOR_GAPS = (3, 9)  # 3 to 8 frames from one anchor to the next, as virst-nano has them in chunks of 100 to 256 frames
IN_CACHE = 256  # rows times squared frames that the SegPrompter attends for at once: more, and memory is what is waited for


@dataclass
class EncodedFrames:
    """What both encoders make of a batch."""

    features: FrameFeatures  # of B*T frames
    tower: Tensor  # B,T,cells,Cv

    def at(self, rows: Tensor) -> FrameFeatures:
        return FrameFeatures(*(level[rows] for level in self.features))


@dataclass
class Prompted:
    """What the SegPrompter makes of R sentences."""

    prompts: Tensor  # R,10,T,C
    grids: Tensor  # R,T,cells,C   the frames as it saw them
    attention: Tensor  # R,layers,n,T,T*cells   of half the heads and two of the ten tokens, before the softmax


class Teacher(nn.Module):
    """A model in training. Raises UsageError for a model that is too large to be trained here."""

    def __init__(self, model: Virst) -> None:
        super().__init__()
        self.model = model.eval()
        # SAM2 and the tower see the same pixels, so while training they share one trunk and it runs once a frame.
        patches = model.vision.vision_tower.patch_embed
        if not isinstance(patches, TrunkPatches):
            raise UsageError(
                f"{model.config.name} can't be trained here; use --init virst-nano, or a model that was made from it"
            )
        patches.trunk = model.fusion.seg_model.image_encoder.trunk
        self._maps: list[Tensor] = []
        patches.trunk.register_forward_hook(lambda _, __, maps: self._maps.__setitem__(slice(None), maps))
        self._raw: list[tuple[Tensor, ...]] = []
        model.fusion.seg_model.sam_mask_decoder.register_forward_hook(lambda _, __, out: self._raw.append(out))

    @property
    def objectives(self) -> Mapping[Objective, ObjectiveLosses]:
        """The losses of each objective that can be taught with masks alone."""
        return {Objective.TUNE: self.tune_losses, Objective.PROPAGATE: self.propagate_losses}

    @property
    def device(self) -> torch.device:
        return self.model.language_model.get_parameter("norm.weight").device

    def few_tokens(self) -> AbstractContextManager[None]:
        """For some hundred tokens the fused attention of CPUs takes two to five times as long backwards."""
        return sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()

    # --- forward pieces --------------------------------------------------------------------------------------

    def see(self, batch: TrainingBatch) -> EncodedFrames:
        clips, frames = batch.images.shape[:2]
        images = normalise(batch.images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        features = self.model.fusion.seg_model.encode(images)
        vision_tower = self.model.vision.vision_tower
        assert isinstance(vision_tower.patch_embed, TrunkPatches)
        patches = vision_tower.patch_embed.project(self._maps, frames=CLIP_FRAMES)
        tower = vision_tower.attend(patches, frames=CLIP_FRAMES)  # B*T/4,4*cells,Cv
        return EncodedFrames(features, tower.reshape(clips, frames, -1, tower.shape[-1]))

    def understand(self, batch: TrainingBatch, seen: EncodedFrames) -> Tensor:
        """[SEG] states (B,S,10,D)."""
        tokens = seen.tower.reshape(-1, CLIP_FRAMES * seen.tower.shape[2], seen.tower.shape[3])
        visual = self.model.vision.mm_projector(tokens)
        return self.read(batch, visual.reshape(len(batch.prompts), -1, visual.shape[-1]))

    def read(self, batch: TrainingBatch, visual: Tensor) -> Tensor:
        """[SEG] states (B,S,10,D) from visual tokens (B,V,D); V may be 0."""
        embed = self.model.language_model.embed_tokens
        layout = PackedLayout.of(batch.prompts, visual.shape[1], self.device)
        prefix = embed(torch.tensor(batch.prompts[0][0].prefix, device=self.device)).expand(len(visual), -1, -1)
        embeddings = torch.cat([prefix, visual.to(prefix.dtype), embed(layout.tokens)], 1)
        hidden = self.model.language_model(embeddings, layout.positions, layout.mask())
        return hidden[torch.arange(len(visual), device=self.device)[:, None, None], layout.seg_places]

    def decode(self, features: FrameFeatures, prompts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Masks (R,3,h,w), predicted IoU (R,3) and object score (R,1) of R frames from their prompts (R,10,C), absent or not."""
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

    def grids(self, batch: TrainingBatch, seen: EncodedFrames) -> Tensor:
        """The frames as the SegPrompter sees them (R,T,cells,C), once for each of R = B*S sentences."""
        clips, frames = batch.images.shape[:2]
        grids = self.model.fusion.seg_prompter.grids(seen.features.coarse.unflatten(0, (clips, frames)))  # B,T,cells,C
        return grids.repeat_interleave(batch.targets.shape[1], 0)

    def ask(self, batch: TrainingBatch, seen: EncodedFrames, states: Tensor) -> Prompted:
        """States (B,S,10,D) through the SegPrompter, R = B*S."""
        grids = self.grids(batch, seen)
        rows = max(1, IN_CACHE // grids.shape[1] ** 2) if self.device.type == "cpu" else len(grids)
        with self.few_tokens():
            parts = [self._looked(*part) for part in zip(states.flatten(0, 1).split(rows), grids.split(rows), strict=True)]
        prompts, attention = (torch.cat(part) for part in zip(*parts, strict=True))
        return Prompted(prompts, grids, attention)

    def _looked(self, states: Tensor, grids: Tensor) -> tuple[Tensor, Tensor]:
        """Prompts and attention of some rows."""
        layers: list[QueriesAndKeys] = []
        prompts = self.model.fusion.seg_prompter.mask_prompts(states, grids, layers)
        if not layers:  # a model without this fusion
            return prompts, prompts.new_zeros(len(prompts), 0)
        return prompts, torch.stack([_watched(layer).logits().flatten(1, 2) for layer in layers], 1)

    # --- losses ----------------------------------------------------------------------------------------------

    def masks_match(
        self,
        batch: TrainingBatch,
        seen: EncodedFrames,
        asked: Prompted,
        targets: Tensor,
        sampled_frames: int,
        generator: torch.Generator,
    ) -> Losses:
        """Losses of the masks of `sampled_frames` random frames per sentence, decoded from the prompts; targets (B,S,K)."""
        clips, queries = targets.shape[:2]
        frames = batch.images.shape[1]
        query = torch.arange(clips * queries, device=self.device).repeat_interleave(sampled_frames)
        clip = query // queries
        time = torch.rand(clips * queries, frames, generator=generator).argsort(1)[:, :sampled_frames].flatten().to(self.device)
        answer = self.decode(seen.at(clip * frames + time), asked.prompts[query, :, time])
        found = _compared(*answer, batch.masks(clip, time, targets.flatten(0, 1)[query]))
        return {**found, "attention": _attention_loss(asked.attention, batch.share(targets).flatten(0, 1))}

    def tune_losses(self, batch: TrainingBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *tune*: masks alone, as published. A user's videos tell nothing else."""
        seen = self.see(batch)
        asked = self.ask(batch, seen, self.understand(batch, seen))
        return self.masks_match(batch, seen, asked, batch.targets, sampled_frames, generator)

    def propagate_losses(self, batch: TrainingBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *propagate*: anchors from frozen prompts, spaced as in use, and every other frame of the clip from memory.

        The truth of a propagated frame is what the anchors show, right or wrong: tracking follows anchors, and corrects nothing.
        """
        clips, frames, queries = *batch.images.shape[:2], batch.targets.shape[1]
        seg = self.model.fusion.seg_model
        with torch.no_grad():
            seen = self.see(batch)
            prompts = self.ask(batch, seen, self.understand(batch, seen)).prompts
        clip = torch.arange(clips, device=self.device).repeat_interleave(queries)
        targets = batch.targets.flatten(0, 1)

        def at(time: int) -> FrameFeatures:
            return seen.at(clip * frames + time)

        def compared(time: int, things: Tensor) -> Losses:
            masks, ious, _, score = self._raw.pop()
            return _compared(masks, ious, score, batch.masks(clip, torch.full_like(clip, time), things))

        self._raw.clear()
        anchors: dict[int, Tracked] = {}
        recent: dict[int, Tracked] = {}
        asked: list[Losses] = []
        tracked: list[Losses] = []
        gap = int(torch.randint(*ANCHOR_GAPS, (), generator=generator))
        with self.few_tokens():
            for t in evenly_spaced(frames, -(-frames // gap)):  # also frames before the first and after the last
                anchors[t] = seg.anchor(at(t), prompts[:, :, t].contiguous())
                asked.append(compared(t, targets))
            shown = batch.shown(clip, {t: anchor.logits[:, 0] for t, anchor in anchors.items()})
            for t in sorted(set(range(frames)) - set(anchors)):
                recent[t] = seg.propagate(at(t), t, anchors, recent, frames)
                tracked.append({**compared(t, shown), **self.while_tracking(batch, t, clip, shown)})
        found = _mean(tracked)
        # the decoder goes on learning, and must not forget how to answer an anchor
        return {**found, **{name: (found[name] + value) / 2 for name, value in _mean(asked).items() if name != "J"}}

    def while_tracking(self, batch: TrainingBatch, time: int, clip: Tensor, targets: Tensor) -> Losses:
        """What else a propagated frame is asked: nothing, here."""
        return {}


def _watched(looking: QueriesAndKeys) -> QueriesAndKeys:
    """Half of the heads and two of the ten tokens: they say enough, and this loss is not cheap."""
    half = looking.keys.shape[1] // 2
    content = None if looking.content is None else looking.content[:, :half]
    return QueriesAndKeys(looking.queries[:, :half, :: SEG_TOKENS // 2], looking.keys[:, :half], content)


def _compared(masks: Tensor, ious: Tensor, score: Tensor, truth: Tensor) -> Losses:
    """Candidate masks (R,3,h,w), their predicted IoU (R,3) and object score (R,1) against the truth (R,H,W)."""
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
    """What looks, (R,layers,n,T,T*cells), should look at the target's cells, share (R,T,cells), in its own frame."""
    if logits.numel() == 0:
        return logits.new_zeros(())
    rows, frames, cells = share.shape
    weights = share.new_zeros(rows, frames, frames, cells)
    times = torch.arange(frames, device=share.device)
    weights[:, times, times] = on_cells(share)
    return losses.mass_on_target(logits, weights.flatten(2)[:, None, None])


def on_cells(share: Tensor) -> Tensor:
    """How much each cell counts as the target's, in 0..1: the best covered one fully, those barely touched not at all."""
    return ((share / share.amax(-1, keepdim=True).clamp(min=0.25)) * (share > 0.05)).clamp(max=1)
