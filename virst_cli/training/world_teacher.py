"""Training from nothing on the synthetic world: auxiliary losses tell every part of the model directly what it should know.

The objectives follow the paper's order: alignment, then masks, then propagation. `recipe` has the stages, `heads` the auxiliary
heads.
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
from virst_cli.training.teacher import EncodedFrames, Losses, ObjectiveLosses, Teacher, on_cells
from virst_cli.training.training_batch import TrainingBatch
from virst_cli.world import COLOURS, KINDS

COVERED = 0.15  # a cell shows a thing when it covers this share of it
STATE_WORDS = ("away", "still", "left", "right", "jumps")  # one for each of the world's STATES


class WorldTeacher(Teacher):
    """A model in training with its auxiliary heads."""

    def __init__(self, model: Virst, prompts: PromptBuilder) -> None:
        super().__init__(model)
        self.helpers = AuxiliaryHeads(model.config)
        ids = prompts.tokenizer.get_vocab()
        for name, table in (("kind", KINDS), ("colour", COLOURS), ("state", STATE_WORDS)):
            self.register_buffer(f"{name}_words", torch.tensor([ids[word] for word in table]), persistent=False)

        def keep(_: nn.Module, __: object, out: Tensor) -> None:
            self._attended = out  # cells,R,C   what memory attention returns, for the occupancy loss

        model.fusion.seg_model.memory_attention.register_forward_hook(keep)

    # --- losses by subject -----------------------------------------------------------------------------------

    def tower_knows(self, batch: WorldBatch, seen: EncodedFrames) -> Losses:
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
            "vocabulary": self._names(seen, {"kind": kind, "colour": colour, "state": state}, share > 0.6),
        }

    def _dense(self, seen: EncodedFrames, kind: Tensor, colour: Tensor) -> Tensor:
        coarse = seen.features.coarse.flatten(2).transpose(1, 2).unflatten(0, kind.shape[:2])
        return _cells(self.helpers.dense_kind(coarse), kind) + _cells(self.helpers.dense_colour(coarse), colour)

    def _names(self, seen: EncodedFrames, labels: Mapping[str, Tensor], clear: Tensor) -> Tensor:
        """A projected token of a thing must name its kind, its colour and what it does through the language model's own words."""
        rows = clear.flatten().nonzero()[:512, 0]
        if len(rows) == 0:
            return seen.tower.sum() * 0
        said = self.model.vision.mm_projector.mlp(seen.tower.flatten(0, 2)[rows])
        words = self.model.language_model.get_parameter("embed_tokens.weight")
        found = [
            losses.class_loss(said @ words[self.get_buffer(f"{name}_words")].T, label.flatten()[rows])
            for name, label in labels.items()
        ]
        return torch.stack(found).sum()

    def sentence_means(self, batch: WorldBatch, seen: EncodedFrames, states: Tensor) -> Losses:
        """Heat map, pointer, kind and colour of the target, from the [SEG] states alone."""
        meaning = self.helpers.meaning(states.flatten(2))  # B,S,256
        share = batch.share(batch.targets)  # B,S,T,cells
        total = share.sum(-1, keepdim=True)
        heat_truth = torch.cat([share / total.clamp(min=1e-6), (total < 0.05).float()], -1)
        heat_truth[..., :-1] *= total >= 0.05
        pointed = on_cells(share).flatten(2)
        done = on_cells((batch.cover[:, None] * batch.moments[:, :, :, None]).sum(-1)).flatten(2)
        exists = self.helpers.target_exists(meaning)[..., 0].float()
        there = batch.targets.any(-1).float()

        def named(logits: Tensor, table: Tensor, classes: int) -> Tensor:
            hot = F.one_hot(table.clamp(min=0), classes).bool() & (table >= 0)[..., None]
            truth = (batch.targets[..., None] & hot[:, None]).any(2).float()  # B,S,classes
            return F.binary_cross_entropy_with_logits(logits.float(), truth)

        return {
            "words": self._words(batch, meaning),
            "heat": losses.soft_cross_entropy(self.helpers.heat(meaning, seen.tower), heat_truth),
            "point": losses.mass_on_target(self.helpers.point(meaning, seen.tower), pointed),
            "moment": losses.mass_on_target(self.helpers.moment(meaning, seen.tower), done),
            "exists": F.binary_cross_entropy_with_logits(exists, there, weight=1 + 2 * (1 - there)),  # one in six is not
            "target": named(self.helpers.target_kind(meaning), batch.kind, len(KINDS))
            + named(self.helpers.target_colour(meaning), batch.colour, len(COLOURS)),
        }

    def _words(self, batch: WorldBatch, meaning: Tensor) -> Tensor:
        """What was said, word by word, asked back from the [SEG] states."""
        return losses.class_loss(self.helpers.words(meaning).unflatten(2, (batch.words.shape[2], -1)), batch.words)

    def _matches(self, states: Tensor, grids: Tensor, cells: Tensor) -> Tensor:
        """What the SegPrompter's content term alone would look at in each frame: the [SEG] states must say where things go.

        States (B,S,10,D), frames as the SegPrompter sees them (R,T,cells,C), and the target's cells (R,T,cells); R = B*S.
        """
        content = self.model.fusion.seg_prompter.content
        assert content is not None
        match = content(states.flatten(0, 1), grids, WHOLE).unflatten(2, (grids.shape[1], -1))  # R,T,T,cells
        return losses.mass_on_target(match.diagonal(dim1=1, dim2=2).transpose(1, 2), cells)

    def _joined(
        self,
        batch: WorldBatch,
        seen: EncodedFrames,
        states: Tensor,
        targets: Tensor,
        sampled_frames: int,
        generator: torch.Generator,
    ) -> Losses:
        asked = self.ask(batch, seen, states)
        cells = on_cells(batch.share(targets).flatten(0, 1))
        prompt = losses.mass_on_target(self.helpers.prompted(asked.prompts, asked.grids), cells)
        match = self._matches(states, asked.grids, cells)
        return {**self.masks_match(batch, seen, asked, targets, sampled_frames, generator), "prompt": prompt, "match": match}

    # --- objectives ------------------------------------------------------------------------------------------

    @property
    def objectives(self) -> Mapping[Objective, ObjectiveLosses]:
        """The losses of each objective."""
        return {
            **super().objectives,
            Objective.SEE: self.see_losses,
            Objective.READ: self.read_losses,
            Objective.UNDERSTAND: self.understand_losses,
            Objective.THINK: self.think_losses,
            Objective.JOIN: self.join_losses,
            Objective.SHARPEN: self.sharpen_losses,
        }

    def see_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *see*: what patches show, and masks from codes in place of sentences."""
        seen = self.see(batch)
        targets, states = self._coded(batch, generator)
        return {
            **self.tower_knows(batch, seen),
            **self._joined(batch, seen, states, targets, sampled_frames, generator),
        }

    def read_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *read*: language alone; without a video only the words can be known."""
        states = self.read(batch, torch.empty(len(batch.prompts), 0, self.model.config.language.width, device=self.device))
        return {"words": self._words(batch, self.helpers.meaning(states.flatten(2)))}

    def understand_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *understand*: what patches show, and what sentences mean in the video."""
        seen = self.see(batch)
        return {**self.tower_knows(batch, seen), **self.sentence_means(batch, seen, self.understand(batch, seen))}

    def think_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *think*: as *understand*, and the SegPrompter's content term must find the target as well."""
        seen = self.see(batch)
        states = self.understand(batch, seen)
        match = self._matches(states, self.grids(batch, seen), on_cells(batch.share(batch.targets).flatten(0, 1)))
        return {**self.tower_knows(batch, seen), **self.sentence_means(batch, seen, states), "match": match}

    def join_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *join*: as *understand*, with masks of what the sentences mean."""
        seen = self.see(batch)
        states = self.understand(batch, seen)
        return {
            **self.tower_knows(batch, seen),
            **self.sentence_means(batch, seen, states),
            **self._joined(batch, seen, states, batch.targets, sampled_frames, generator),
        }

    def sharpen_losses(self, batch: WorldBatch, sampled_frames: int, generator: torch.Generator) -> Losses:
        """Objective *sharpen*: as *join* with frozen encoders, which is cheaper, and keeps the features under the masks fixed."""
        with torch.no_grad():
            seen = self.see(batch)
        states = self.understand(batch, seen)
        return {
            **self.sentence_means(batch, seen, states),
            **self._joined(batch, seen, states, batch.targets, sampled_frames, generator),
        }

    def while_tracking(self, batch: TrainingBatch, time: int, clip: Tensor, targets: Tensor) -> Losses:
        """Which cells memory attention already knows to be the target's."""
        share = (batch.cover[clip, time] * targets.float()[:, None]).sum(-1)  # R,cells
        known = self.helpers.occupancy(self._attended.transpose(0, 1))[..., 0].float()
        return {"occupancy": F.binary_cross_entropy_with_logits(known, share.clamp(0, 1))}

    def _coded(self, batch: WorldBatch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Targets (B,S,K) and code states (B,S,10,D): the first half asks by kind or colour or both, the second by trajectory."""
        clips, queries, things = batch.targets.shape

        def dice(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator).to(self.device)

        real = batch.kind >= 0  # B,K
        pick = (dice(clips, queries, things) * real[:, None]).argmax(-1)  # a thing to ask for
        kind, colour = batch.kind.gather(1, pick), batch.colour.gather(1, pick)  # B,S
        by = dice(clips, queries)
        elsewhere = dice(clips, queries) < 0.15  # asked for at random: often matches nothing
        kind = torch.where(elsewhere, torch.randint(len(KINDS), kind.shape, generator=generator).to(self.device), kind)
        by_kind, by_colour = by > 0.25, (by < 0.25) | (by > 0.5)
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
        by_path = (torch.arange(queries, device=self.device) >= queries // 2).expand(clips, queries)
        targets = torch.where(by_path[..., None], F.one_hot(pick, things).bool(), fits)
        states = torch.where(by_path.flatten()[:, None, None], paths, flags)
        return targets, states.unflatten(0, (clips, queries))


def _cells(logits: Tensor, labels: Tensor) -> Tensor:
    """Class loss over cells; background is the last class and weighs little, as most cells are background."""
    classes = logits.shape[-1]
    weight = logits.new_ones(classes)
    weight[-1] = 0.1
    return losses.class_loss(logits, torch.where(labels < 0, classes - 1, labels), weight)


def from_nothing(config: VirstConfig, prompts: PromptBuilder, seed: int) -> WorldTeacher:
    """A model that knows nothing, and its teacher."""
    torch.manual_seed(seed)
    model = Virst(config)
    nn.init.normal_(model.language_model.get_parameter("embed_tokens.weight"), std=0.1)
    return WorldTeacher(model, prompts)
