"""What the model is taught: the losses of one batch, for each stage of the recipe in `stages`.

The stages follow the paper's idea (align, then masks, then propagation); `heads` and the second half of `losses` are
what training from nothing adds. The model is always in eval mode: there is no dropout, and SAM2 then tracks in training
exactly as it does in use.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from virst_cli.model.config import CLIP_FRAMES, SEG_TOKENS
from virst_cli.model.pixels import normalise
from virst_cli.model.seg_model import FrameFeatures, Tracked
from virst_cli.model.virst import Packed, Virst, pack
from virst_cli.model.vision_tower import TrunkPatches
from virst_cli.tracking.anchors import choose
from virst_cli.training import losses
from virst_cli.training.data import Batch
from virst_cli.training.heads import Helpers
from virst_cli.world import COLOURS, KINDS

Losses = dict[str, Tensor]
COVERED = 0.15  # a cell shows a thing when it covers this share of it


@dataclass
class Seen:
    """What both encoders make of a batch."""

    features: FrameFeatures  # of B*T frames
    tower: Tensor  # B,T,cells,Cv

    def at(self, rows: Tensor) -> FrameFeatures:
        return FrameFeatures(*(level[rows] for level in self.features))


class Teacher(nn.Module):
    """A model in training with its helper heads."""

    def __init__(self, model: Virst) -> None:
        super().__init__()
        self.model = model.eval()
        self.helpers = Helpers(model.config)
        # SAM2 and the tower see the same pixels, so while training they share one trunk and it runs once a frame.
        patches = model.vision.vision_tower.patch_embed
        assert isinstance(patches, TrunkPatches)  # a model without a trunk of its own is not trained from nothing
        patches.trunk = model.fusion.seg_model.image_encoder.trunk
        self._maps: list[Tensor] = []
        patches.trunk.register_forward_hook(lambda _, __, maps: self._maps.__setitem__(slice(None), maps))
        self._raw: list[tuple[Tensor, ...]] = []
        model.fusion.seg_model.sam_mask_decoder.register_forward_hook(lambda _, __, out: self._raw.append(out))

    # --- forward pieces --------------------------------------------------------------------------------------

    def see(self, batch: Batch) -> Seen:
        clips, frames = batch.images.shape[:2]
        images = normalise(batch.images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        features = self.model.fusion.seg_model.encode(images)
        vision_tower = self.model.vision.vision_tower
        assert isinstance(vision_tower.patch_embed, TrunkPatches)
        patches = vision_tower.patch_embed.project(self._maps[2], frames=CLIP_FRAMES)
        tower = vision_tower.attend(patches, frames=CLIP_FRAMES)  # B*T/4,4*cells,Cv
        return Seen(features, tower.reshape(clips, frames, -1, tower.shape[-1]))

    def understand(self, batch: Batch, seen: Seen) -> Tensor:
        """[SEG] states (B,S,10,D)."""
        tokens = seen.tower.reshape(-1, CLIP_FRAMES * seen.tower.shape[2], seen.tower.shape[3])
        visual = self.model.vision.mm_projector(tokens)
        return self.read(batch, visual.reshape(len(batch.prompts), -1, visual.shape[-1]))

    def read(self, batch: Batch, visual: Tensor) -> Tensor:
        """[SEG] states (B,S,10,D) from visual tokens (B,V,D); V may be 0."""
        embed = self.model.language_model.embed_tokens
        packs = [pack(visual[b], prompts, embed) for b, prompts in enumerate(batch.prompts)]
        longest = max(len(packed.positions) for packed in packs)
        padded = [_pad(packed, longest) for packed in packs]
        hidden = self.model.language_model(*(torch.stack(parts) for parts in zip(*padded, strict=True)))
        return torch.stack([hidden[b, packed.seg_places] for b, packed in enumerate(packs)])

    def decode(self, features: FrameFeatures, prompts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Masks (R,3,h,w), predicted IoU (R,3) and object score (R,1) of R frames from their prompts (R,10,C), absent or not."""
        seg = self.model.fusion.seg_model
        size = features.coarse.shape[-2:]
        masks, ious, _, score = seg.sam_mask_decoder(
            image_embeddings=features.coarse + seg.no_mem_embed[0, 0, :, None, None],
            image_pe=seg.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=prompts,
            dense_prompt_embeddings=seg.sam_prompt_encoder.no_mask_embed.weight[0, :, None, None].expand(len(prompts), -1, *size),
            multimask_output=True,
            repeat_image=False,
            high_res_features=[features.fine, features.middle],
        )
        self._raw.clear()
        return masks, ious, score

    # --- losses by subject -----------------------------------------------------------------------------------

    def tower_knows(self, batch: Batch, seen: Seen) -> Losses:
        """Kind, colour, motion state and displacement of what each patch shows."""
        share, thing = batch.cover.max(-1)  # B,T,cells
        shown = share > COVERED

        def label(values: Tensor) -> Tensor:  # of each cell; the last class is background
            return torch.where(shown, values, -1)

        def of_thing(table: Tensor) -> Tensor:
            return table[:, None, None].expand(*thing.shape, -1).gather(-1, thing[..., None])[..., 0]

        kind, colour = label(of_thing(batch.kind)), label(of_thing(batch.colour))
        state = label(batch.state[:, :, None].expand(*thing.shape, -1).gather(-1, thing[..., None])[..., 0])
        move = torch.zeros_like(batch.centre)
        move[:, 1:] = 16 * (batch.centre[:, 1:] - batch.centre[:, :-1])  # in cells-and-a-bit a frame
        move = (
            move[:, :, None].expand(*thing.shape, -1, -1).gather(3, thing[..., None, None].expand(*thing.shape, 1, 2))[..., 0, :]
        )
        heads, tower = self.helpers, seen.tower
        error = F.smooth_l1_loss(heads.tower_motion(tower).float(), move.clamp(-2, 2), reduction="none").sum(-1)
        return {
            "tower": _cells(heads.tower_kind(tower), kind)
            + _cells(heads.tower_colour(tower), colour)
            + _cells(heads.tower_state(tower), state)
            + 2 * (error * shown).sum() / shown.sum().clamp(min=1),
            "dense": self._dense(seen, kind, colour),
            "vocabulary": self._names(seen, kind, colour, share > 0.6),
        }

    def _dense(self, seen: Seen, kind: Tensor, colour: Tensor) -> Tensor:
        coarse = seen.features.coarse.flatten(2).transpose(1, 2).unflatten(0, kind.shape[:2])
        return _cells(self.helpers.dense_kind(coarse), kind) + _cells(self.helpers.dense_colour(coarse), colour)

    def _names(self, seen: Seen, kind: Tensor, colour: Tensor, clear: Tensor) -> Tensor:
        """A projected token of a thing must name its kind and colour through the language model's own word embeddings."""
        rows = clear.flatten().nonzero()[:512, 0]
        if len(rows) == 0:
            return seen.tower.sum() * 0
        said = self.model.vision.mm_projector.mlp(seen.tower.flatten(0, 2)[rows])
        words = self.model.language_model.get_parameter("embed_tokens.weight")
        loss = losses.class_loss(said @ words[self.kind_words].T, kind.flatten()[rows])
        return loss + losses.class_loss(said @ words[self.colour_words].T, colour.flatten()[rows])

    kind_words: Tensor
    colour_words: Tensor

    def learn_words(self, vocabulary: Mapping[str, int]) -> None:
        self.kind_words = torch.tensor([vocabulary[word] for word in KINDS])
        self.colour_words = torch.tensor([vocabulary[word] for word in COLOURS])

    def sentence_means(self, batch: Batch, seen: Seen, states: Tensor) -> Losses:
        """Heat map, pointer, kind and colour of the target, from the [SEG] states alone."""
        meaning = self.helpers.meaning(states.flatten(2))  # B,S,256
        share = batch.share(batch.targets)  # B,S,T,cells
        total = share.sum(-1, keepdim=True)
        heat_truth = torch.cat([share / total.clamp(min=1e-6), (total < 0.05).float()], -1)
        heat_truth[..., :-1] *= total >= 0.05
        pointed = _on_cells(share).flatten(2)

        def named(logits: Tensor, table: Tensor, classes: int) -> Tensor:
            hot = F.one_hot(table.clamp(min=0), classes).bool() & (table >= 0)[..., None]
            truth = (batch.targets[..., None] & hot[:, None]).any(2).float()  # B,S,classes
            return F.binary_cross_entropy_with_logits(logits.float(), truth)

        return {
            "words": self._words(batch, meaning),
            "heat": losses.soft_cross_entropy(self.helpers.heat(meaning, seen.tower), heat_truth),
            "point": losses.mass_on_target(self.helpers.point(meaning, seen.tower), pointed),
            "target": named(self.helpers.target_kind(meaning), batch.kind, len(KINDS))
            + named(self.helpers.target_colour(meaning), batch.colour, len(COLOURS)),
        }

    def _words(self, batch: Batch, meaning: Tensor) -> Tensor:
        """What was said, word by word, asked back from the [SEG] states."""
        return losses.class_loss(self.helpers.words(meaning).unflatten(2, (batch.words.shape[2], -1)), batch.words)

    def masks_match(
        self, batch: Batch, seen: Seen, states: Tensor, targets: Tensor, looks: int, generator: torch.Generator
    ) -> Losses:
        """Masks of `looks` random frames a query, from states (B,S,10,D) through SegPrompter and decoder; targets (B,S,K)."""
        clips, queries, frames = *states.shape[:2], batch.ids.shape[1]
        coarse = seen.features.coarse.unflatten(0, (clips, frames))
        grids = self.model.fusion.seg_prompter.look(coarse)  # B,T,cells,C
        grids = grids.repeat_interleave(queries, 0)  # B*S,...
        attention: list[Tensor] = []
        prompts = self.model.fusion.seg_prompter.prompts(states.flatten(0, 1), grids, attention)  # B*S,10,T,C
        clip = torch.arange(clips).repeat_interleave(queries * looks)
        query = torch.arange(clips * queries).repeat_interleave(looks)
        time = torch.rand(clips * queries, frames, generator=generator).argsort(1)[:, :looks].flatten()
        masks, ious, score = self.decode(seen.at(clip * frames + time), prompts[query, :, time])
        truth = batch.masks(clip, time, targets.flatten(0, 1)[query])
        share = batch.share(targets).flatten(0, 1)  # B*S,T,cells
        return {
            "mask": losses.mask_loss(masks, truth),
            "iou": losses.iou_loss(masks, ious, truth),
            "object": losses.presence_loss(score, truth),
            "prompt": losses.mass_on_target(self.helpers.prompted(prompts, grids), _on_cells(share)),
            "attention": sum((_attention_loss(logits, share) for logits in attention), torch.zeros(())) / len(attention),
        }

    # --- stages ----------------------------------------------------------------------------------------------

    def see_lesson(self, batch: Batch, looks: int, generator: torch.Generator) -> Losses:
        seen = self.see(batch)
        targets, states = self._coded(batch, generator)
        return {
            **self.tower_knows(batch, seen),
            **self.masks_match(batch, seen, states, targets, looks, generator),
        }

    def read_lesson(self, batch: Batch, looks: int, generator: torch.Generator) -> Losses:
        """Language alone: without a video, nothing but the words can be known."""
        states = self.read(batch, torch.empty(len(batch.prompts), 0, self.model.config.language.width))
        return {"words": self._words(batch, self.helpers.meaning(states.flatten(2)))}

    def understand_lesson(self, batch: Batch, looks: int, generator: torch.Generator) -> Losses:
        seen = self.see(batch)
        return {**self.tower_knows(batch, seen), **self.sentence_means(batch, seen, self.understand(batch, seen))}

    def join_lesson(self, batch: Batch, looks: int, generator: torch.Generator) -> Losses:
        seen = self.see(batch)
        states = self.understand(batch, seen)
        return {
            **self.tower_knows(batch, seen),
            **self.sentence_means(batch, seen, states),
            **self.masks_match(batch, seen, states, batch.targets, looks, generator),
        }

    def sharpen_lesson(self, batch: Batch, looks: int, generator: torch.Generator) -> Losses:
        """Joined, but with eyes that stay as they are: cheaper, and what the masks are made from no longer moves."""
        with torch.no_grad():
            seen = self.see(batch)
        states = self.understand(batch, seen)
        return {
            **self.sentence_means(batch, seen, states),
            **self.masks_match(batch, seen, states, batch.targets, looks, generator),
        }

    def propagate_lesson(self, batch: Batch, looks: int, generator: torch.Generator) -> Losses:
        """Anchors from frozen prompts, every other frame of the clip from memory."""
        clips, frames, queries = *batch.ids.shape[:2], batch.targets.shape[1]
        seg = self.model.fusion.seg_model
        with torch.no_grad():
            seen = self.see(batch)
            states = self.understand(batch, seen).flatten(0, 1)
            grids = self.model.fusion.seg_prompter.look(seen.features.coarse.unflatten(0, (clips, frames)))
            prompts = self.model.fusion.seg_prompter.prompts(states, grids.repeat_interleave(queries, 0))
        clip = torch.arange(clips).repeat_interleave(queries)
        targets = batch.targets.flatten(0, 1)

        def at(time: int) -> FrameFeatures:
            return seen.at(clip * frames + time)

        def truth(time: int) -> Tensor:
            return batch.masks(clip, torch.full_like(clip, time), targets)

        self._raw.clear()
        anchors = {t: seg.anchor(at(t), prompts[:, :, t].contiguous()) for t in choose(frames)}
        recent: dict[int, Tracked] = {}
        total: dict[str, list[Tensor]] = {"mask": [], "object": [], "iou": [], "occupancy": []}
        for t in range(frames):
            if t in anchors:
                continue
            self._raw.clear()
            recent[t] = seg.propagate(at(t), t, anchors, recent, frames)
            masks, ious, _, score = self._raw[-1]
            total["mask"].append(losses.mask_loss(masks, truth(t)))
            total["iou"].append(losses.iou_loss(masks, ious, truth(t)))
            total["object"].append(losses.presence_loss(score, truth(t)))
            total["occupancy"].append(self._occupancy(batch, t, targets, clip))
        return {name: torch.stack(values).mean() for name, values in total.items()}

    def _occupancy(self, batch: Batch, time: int, targets: Tensor, clip: Tensor) -> Tensor:
        share = (batch.cover[clip, time] * targets.float()[:, None]).sum(-1)  # R,cells
        attended = self._attended.transpose(0, 1)  # R,cells,C
        return F.binary_cross_entropy_with_logits(self.helpers.occupancy(attended)[..., 0].float(), share.clamp(0, 1))

    def watch_memory(self) -> None:
        """Keep what memory attention returns, (cells,R,C), for the occupancy loss."""

        def keep(_: nn.Module, __: object, out: Tensor) -> None:
            self._attended = out

        self.model.fusion.seg_model.memory_attention.register_forward_hook(keep)

    def _coded(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Targets (B,S,K) and code states (B,S,10,D): the first half asks by kind or colour or both, the second by trajectory."""
        clips, queries, things = batch.targets.shape
        real = batch.kind >= 0  # B,K
        pick = (torch.rand(clips, queries, things, generator=generator) * real[:, None]).argmax(-1)  # a thing to ask for
        kind, colour = batch.kind.gather(1, pick), batch.colour.gather(1, pick)  # B,S
        dice = torch.rand(clips, queries, generator=generator)
        elsewhere = torch.rand(clips, queries, generator=generator) < 0.15  # asked for at random: often matches nothing
        kind = torch.where(elsewhere, torch.randint(len(KINDS), kind.shape, generator=generator), kind)
        by_kind, by_colour = dice > 0.25, (dice < 0.25) | (dice > 0.5)
        fits = real[:, None] & (~by_kind[..., None] | (kind[..., None] == batch.kind[:, None]))
        fits = fits & (~by_colour[..., None] | (colour[..., None] == batch.colour[:, None]))
        flags = self.helpers.codes.from_flags(
            (F.one_hot(kind, len(KINDS)) * by_kind[..., None]).flatten(0, 1).float(),
            (F.one_hot(colour, len(COLOURS)) * by_colour[..., None]).flatten(0, 1).float(),
        )
        seen = (batch.cover.sum(2) > 0).float()  # B,T,K
        path = torch.cat([batch.centre, seen[..., None]], -1).permute(0, 2, 1, 3)  # B,K,T,3
        path = path.gather(1, pick[:, :, None, None].expand(-1, -1, *path.shape[2:])).flatten(0, 1)
        paths = self.helpers.codes.from_path(torch.where(path[..., 2:] > 0, path, 0.0))
        by_path = (torch.arange(queries) >= queries // 2).expand(clips, queries)
        targets = torch.where(by_path[..., None], F.one_hot(pick, things).bool(), fits)
        states = torch.where(by_path.flatten()[:, None, None], paths, flags)
        return targets, states.unflatten(0, (clips, queries))


def _cells(logits: Tensor, labels: Tensor) -> Tensor:
    """Class loss over cells; background is the last class and weighs little, as most cells are background."""
    classes = logits.shape[-1]
    weight = torch.ones(classes)
    weight[-1] = 0.1
    return losses.class_loss(logits, torch.where(labels < 0, classes - 1, labels), weight)


def _attention_loss(logits: Tensor, share: Tensor) -> Tensor:
    """Half of the heads (R,heads,10*T,T*cells) should look at the target's cells, share (R,T,cells), in the query's own frame."""
    rows, frames, cells = share.shape
    heads = logits.shape[1] // 2
    weights = torch.zeros(rows, frames, frames, cells)
    times = torch.arange(frames)
    weights[:, times, times] = _on_cells(share)
    weights = weights.flatten(2)[:, None].expand(-1, SEG_TOKENS, -1, -1).flatten(1, 2)  # R,10*T,T*cells
    return losses.mass_on_target(logits[:, :heads], weights[:, None].expand(-1, heads, -1, -1))


def _on_cells(share: Tensor) -> Tensor:
    """How much each cell counts as the target's, in 0..1: the best covered one fully, those barely touched not at all."""
    return ((share / share.amax(-1, keepdim=True).clamp(min=0.25)) * (share > 0.05)).clamp(max=1)


def _pad(packed: Packed, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, positions and mask of that length; rows that pad look at themselves, and nobody looks at them."""
    missing = length - len(packed.positions)
    mask = F.pad(packed.mask, (0, missing, 0, missing))
    mask.fill_diagonal_(True)
    return F.pad(packed.embeddings, (0, 0, 0, missing)), F.pad(packed.positions, (0, missing)), mask
