"""Training from random weights on the synthetic world: auxiliary losses that supervise each part of the model directly.

The objectives follow the paper's stages: align, then masks, then propagation. The recipe is in `recipe`, the auxiliary
heads are in `heads`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from virst_cli.model.config import VirstConfig
from virst_cli.model.fusion import WHOLE
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import Virst
from virst_cli.training import losses
from virst_cli.training.data import WorldBatch
from virst_cli.training.heads import AuxiliaryHeads
from virst_cli.training.recipe import Objective
from virst_cli.training.teacher import EncodedFrames, Losses, ObjectiveFunction, Teacher, cell_weights
from virst_cli.training.training_batch import TrainingBatch
from virst_cli.world import COLOURS, KINDS

COVERED = 0.15  # share of a cell that a thing must cover to be the cell's label
CLEARLY_COVERED = 0.6  # share for the vocabulary loss, which wants cells that show little else
STATE_WORDS = ("away", "still", "left", "right", "jumps")  # one for each of the world's STATES


class WorldTeacher(Teacher):
    """A model in training with its auxiliary heads, whose parameters are named `helpers.*` in training states."""

    def __init__(self, model: Virst, prompts: PromptBuilder) -> None:
        super().__init__(model)
        self.helpers = AuxiliaryHeads(model.config)
        ids = prompts.tokenizer.get_vocab()
        for name, table in (("kind", KINDS), ("colour", COLOURS), ("state", STATE_WORDS)):
            self.register_buffer(f"{name}_words", torch.tensor([ids[word] for word in table]), persistent=False)

        def store_output(_: nn.Module, __: object, out: Tensor) -> None:
            self._memory_features = out  # cells,R,C   for the occupancy loss

        model.fusion.seg_model.memory_attention.register_forward_hook(store_output)

    @property
    def objectives(self) -> Mapping[Objective, ObjectiveFunction]:
        """The function that computes the losses of each objective."""
        return {
            **super().objectives,
            Objective.SEE: self.see_losses,
            Objective.READ: self.read_losses,
            Objective.UNDERSTAND: self.understand_losses,
            Objective.THINK: self.think_losses,
            Objective.JOIN: self.join_losses,
            Objective.SHARPEN: self.sharpen_losses,
        }

    # --- auxiliary losses -----------------------------------------------------------------------------------

    def tower_losses(self, batch: WorldBatch, encoded: EncodedFrames) -> Losses:
        """Losses of kind, colour, motion state and displacement of the thing that each cell shows."""
        share, thing = batch.cover.max(-1)  # B,T,cells
        shown = share > COVERED

        def label(values: Tensor) -> Tensor:  # of each cell; -1 is background
            return torch.where(shown, values, -1)

        def of_thing(table: Tensor) -> Tensor:
            return table[:, None, None].expand(*thing.shape, -1).gather(-1, thing[..., None])[..., 0]

        kind, colour = label(of_thing(batch.kind)), label(of_thing(batch.colour))
        state = label(batch.state[:, :, None].expand(*thing.shape, -1).gather(-1, thing[..., None])[..., 0])
        move = torch.zeros_like(batch.centre)
        move[:, 1:] = 16 * (
            batch.centre[:, 1:] - batch.centre[:, :-1]
        )  # displacement per frame in sixteenths of the frame's sides
        move = (
            move[:, :, None].expand(*thing.shape, -1, -1).gather(3, thing[..., None, None].expand(*thing.shape, 1, 2))[..., 0, :]
        )
        heads, tower = self.helpers, encoded.tower
        error = F.smooth_l1_loss(heads.tower_motion(tower).float(), move.clamp(-2, 2), reduction="none").sum(-1)
        return {
            "tower": _cell_loss(heads.tower_kind(tower), kind)
            + _cell_loss(heads.tower_colour(tower), colour)
            + _cell_loss(heads.tower_state(tower), state)
            + 2 * (error * shown).sum() / shown.sum().clamp(min=1),
            "dense": self._dense_loss(encoded, kind, colour),
            "vocabulary": self._vocabulary_loss(
                encoded, {"kind": kind, "colour": colour, "state": state}, share > CLEARLY_COVERED
            ),
        }

    def _dense_loss(self, encoded: EncodedFrames, kind: Tensor, colour: Tensor) -> Tensor:
        """Loss of kind and colour (B,T,cells) from SAM 2's coarse features."""
        coarse = encoded.features.coarse.flatten(2).transpose(1, 2).unflatten(0, kind.shape[:2])
        return _cell_loss(self.helpers.dense_kind(coarse), kind) + _cell_loss(self.helpers.dense_colour(coarse), colour)

    def _vocabulary_loss(self, encoded: EncodedFrames, labels: Mapping[str, Tensor], clear: Tensor) -> Tensor:
        """Loss of kind, colour and state from projected visual tokens by their similarity to the embeddings of words.

        labels: class of each cell by the name of the table, (B,T,cells).
        clear: cells that clearly show a thing, (B,T,cells) bool.
        """
        rows = clear.flatten().nonzero()[:512, 0]
        if len(rows) == 0:
            return encoded.tower.sum() * 0
        tokens = self.model.vision.mm_projector.mlp(encoded.tower.flatten(0, 2)[rows])
        words = self.model.language_model.get_parameter("embed_tokens.weight")
        found = [
            losses.class_loss(tokens @ words[self.get_buffer(f"{name}_words")].T, label.flatten()[rows])
            for name, label in labels.items()
        ]
        return torch.stack(found).sum()

    def sentence_losses(self, batch: WorldBatch, encoded: EncodedFrames, states: Tensor) -> Losses:
        """Losses of words, heat map, pointers, existence, kind and colour of the target, from the [SEG] states (B,S,10,D)."""
        meaning = self.helpers.meaning(states.flatten(2))  # B,S,256
        share = batch.share(batch.targets)  # B,S,T,cells
        total = share.sum(-1, keepdim=True)
        heat_truth = torch.cat([share / total.clamp(min=1e-6), (total < 0.05).float()], -1)
        heat_truth[..., :-1] *= total >= 0.05
        target_cells = cell_weights(share).flatten(2)
        moment_cells = cell_weights((batch.cover[:, None] * batch.moments[:, :, :, None]).sum(-1)).flatten(2)
        exists = self.helpers.target_exists(meaning)[..., 0].float()
        has_target = batch.targets.any(-1).float()

        def attribute_loss(logits: Tensor, table: Tensor, classes: int) -> Tensor:
            hot = F.one_hot(table.clamp(min=0), classes).bool() & (table >= 0)[..., None]
            truth = (batch.targets[..., None] & hot[:, None]).any(2).float()  # B,S,classes
            return F.binary_cross_entropy_with_logits(logits.float(), truth)

        return {
            "words": self._words_loss(batch, meaning),
            "heat": losses.soft_cross_entropy(self.helpers.heat(meaning, encoded.tower), heat_truth),
            "point": losses.mass_on_target(self.helpers.point(meaning, encoded.tower), target_cells),
            "moment": losses.mass_on_target(self.helpers.moment(meaning, encoded.tower), moment_cells),
            "exists": F.binary_cross_entropy_with_logits(
                exists, has_target, weight=1 + 2 * (1 - has_target)
            ),  # one in six has none
            "target": attribute_loss(self.helpers.target_kind(meaning), batch.kind, len(KINDS))
            + attribute_loss(self.helpers.target_colour(meaning), batch.colour, len(COLOURS)),
        }

    def _words_loss(self, batch: WorldBatch, meaning: Tensor) -> Tensor:
        """Loss of the sentence's words, predicted from its [SEG] states."""
        return losses.class_loss(self.helpers.words(meaning).unflatten(2, (batch.words.shape[2], -1)), batch.words)

    def _match_loss(self, states: Tensor, grids: Tensor, cells: Tensor) -> Tensor:
        """Loss of the attention that the SegPrompter's content term alone pays to each frame, R = B*S.

        states: [SEG] states (B,S,10,D).
        grids: the SegPrompter's frame tokens (R,T,cells,C).
        cells: weight of each cell as part of the target (R,T,cells).
        """
        content = self.model.fusion.seg_prompter.content
        assert content is not None
        match = content(states.flatten(0, 1), grids, WHOLE).unflatten(2, (grids.shape[1], -1))  # R,T,T,cells
        return losses.mass_on_target(match.diagonal(dim1=1, dim2=2).transpose(1, 2), cells)

    def _all_mask_losses(
        self,
        batch: WorldBatch,
        encoded: EncodedFrames,
        states: Tensor,
        targets: Tensor,
        sampled_frames: int,
        generator: torch.Generator,
    ) -> Losses:
        """`mask_losses`, and the losses of the prompts and of the content term; targets (B,S,K) bool."""
        prompts = self.fuse(batch, encoded, states)
        cells = cell_weights(batch.share(targets).flatten(0, 1))
        prompt = losses.mass_on_target(self.helpers.prompted(prompts.prompts, prompts.grids), cells)
        match = self._match_loss(states, prompts.grids, cells)
        masks = self.mask_losses(batch, encoded, prompts, targets, sampled_frames, generator)
        return {**masks, "prompt": prompt, "match": match}

    # --- objectives ----------------------------------------------------------------------------------------------

    def see_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Both encoders and the mask decoder, with codes in place of a language model."""
        encoded = self.encode(batch)
        targets, states = self._coded(batch, generator)
        return {
            **self.tower_losses(batch, encoded),
            **self._all_mask_losses(batch, encoded, states, targets, sampled_frames, generator),
        }

    def read_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """The language model alone, without a video: it repeats the words of the sentence."""
        states = self.seg_states(batch, torch.empty(len(batch.prompts), 0, self.model.config.language.width, device=self.device))
        return {"words": self._words_loss(batch, self.helpers.meaning(states.flatten(2)))}

    def understand_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """The vision tower and the language model, without masks."""
        encoded = self.encode(batch)
        return {
            **self.tower_losses(batch, encoded),
            **self.sentence_losses(batch, encoded, self.reason(batch, encoded)),
        }

    def think_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Like `understand`, for a frozen trunk, and the SegPrompter's content term must find the target too."""
        encoded = self.encode(batch)
        states = self.reason(batch, encoded)
        match = self._match_loss(states, self.grids(batch, encoded), cell_weights(batch.share(batch.targets).flatten(0, 1)))
        return {**self.tower_losses(batch, encoded), **self.sentence_losses(batch, encoded, states), "match": match}

    def join_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """All parts but memory, with all losses."""
        encoded = self.encode(batch)
        states = self.reason(batch, encoded)
        return {
            **self.tower_losses(batch, encoded),
            **self.sentence_losses(batch, encoded, states),
            **self._all_mask_losses(batch, encoded, states, batch.targets, sampled_frames, generator),
        }

    def sharpen_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Like `join` with frozen encoders: cheaper, and the features that masks are decoded from no longer change."""
        with torch.no_grad():
            encoded = self.encode(batch)
        states = self.reason(batch, encoded)
        return {
            **self.sentence_losses(batch, encoded, states),
            **self._all_mask_losses(batch, encoded, states, batch.targets, sampled_frames, generator),
        }

    def memory_losses(self, batch: TrainingBatch, time: int, clip: Tensor, targets: Tensor) -> Losses:
        """Loss of the target's share of each cell, read from the features behind memory attention."""
        share = (batch.cover[clip, time] * targets.float()[:, None]).sum(-1)  # R,cells
        predicted = self.helpers.occupancy(self._memory_features.transpose(0, 1))[..., 0].float()
        return {"occupancy": F.binary_cross_entropy_with_logits(predicted, share.clamp(0, 1))}

    def _coded(self, batch: WorldBatch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Targets (B,S,K) bool and codes (B,S,10,D) for the SegPrompter in place of [SEG] states.

        The first half of the codes describes its target by kind, colour or both, the second half by its trajectory.
        """
        clips, queries, things = batch.targets.shape

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator).to(self.device)

        real = batch.kind >= 0  # B,K
        pick = (uniform(clips, queries, things) * real[:, None]).argmax(-1)  # the thing that is described
        kind, colour = batch.kind.gather(1, pick), batch.colour.gather(1, pick)  # B,S
        draw = uniform(clips, queries)
        random_kind = uniform(clips, queries) < 0.15  # a random kind instead, which often matches nothing
        kind = torch.where(random_kind, torch.randint(len(KINDS), kind.shape, generator=generator).to(self.device), kind)
        by_kind, by_colour = draw > 0.25, (draw < 0.25) | (draw > 0.5)
        fits = real[:, None] & (~by_kind[..., None] | (kind[..., None] == batch.kind[:, None]))
        fits = fits & (~by_colour[..., None] | (colour[..., None] == batch.colour[:, None]))
        flags = self.helpers.codes.from_flags(
            (F.one_hot(kind, len(KINDS)) * by_kind[..., None]).flatten(0, 1).float(),
            (F.one_hot(colour, len(COLOURS)) * by_colour[..., None]).flatten(0, 1).float(),
        )
        visible = (batch.cover.sum(2) > 0).float()  # B,T,K
        path = torch.cat([batch.centre, visible[..., None]], -1).permute(0, 2, 1, 3)  # B,K,T,3
        path = path.gather(1, pick[:, :, None, None].expand(-1, -1, *path.shape[2:])).flatten(0, 1)
        paths = self.helpers.codes.from_path(torch.where(path[..., 2:] > 0, path, 0.0))
        by_path = (torch.arange(queries, device=self.device) >= queries // 2).expand(clips, queries)
        targets = torch.where(by_path[..., None], F.one_hot(pick, things).bool(), fits)
        states = torch.where(by_path.flatten()[:, None, None], paths, flags)
        return targets, states.unflatten(0, (clips, queries))


def _cell_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Class loss over cells. Negative labels are background, the last class; it weighs little, as most cells are background."""
    classes = logits.shape[-1]
    weight = logits.new_ones(classes)
    weight[-1] = 0.1
    return losses.class_loss(logits, torch.where(labels < 0, classes - 1, labels), weight)


def from_nothing(config: VirstConfig, prompts: PromptBuilder, seed: int) -> WorldTeacher:
    """A model with random weights in its teacher, the same for the same seed."""
    torch.manual_seed(seed)
    model = Virst(config)
    nn.init.normal_(model.language_model.get_parameter("embed_tokens.weight"), std=0.1)
    return WorldTeacher(model, prompts)
