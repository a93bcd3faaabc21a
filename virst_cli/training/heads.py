"""Auxiliary heads: small layers that exist only in training and let a loss supervise each part of the model directly."""

import torch
from torch import Tensor, nn

from virst_cli.model.config import SEG_TOKENS, VirstConfig
from virst_cli.model.fusion import cosines
from virst_cli.training.data import LONGEST_SENTENCE
from virst_cli.training.training_batch import GRID
from virst_cli.world import COLOURS, KINDS, STATES

CELLS = GRID * GRID
CODE_TIMES = 8  # frames at which a code describes a trajectory
COURSE = 6  # cosines over time that describe how a target moves through a clip


class Codes(nn.Module):
    """Codes in place of [SEG] states, made from kind and colour or from a trajectory.

    With them the SegPrompter and the mask decoder learn before the language model does.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        flags, path = len(KINDS) + len(COLOURS), 3 * CODE_TIMES
        self.flags = nn.Sequential(nn.Linear(flags, 256), nn.GELU(), nn.Linear(256, SEG_TOKENS * width))
        self.path = nn.Sequential(nn.Linear(path, 256), nn.GELU(), nn.Linear(256, SEG_TOKENS * width))
        self.norm = nn.LayerNorm(width)

    def from_flags(self, kind: Tensor, colour: Tensor) -> Tensor:
        """Codes (R,10,D) from one-hot kind (R,kinds) and colour (R,colours); all zeros mean any."""
        return self._tokens(self.flags(torch.cat([kind, colour], -1)))

    def from_path(self, path: Tensor) -> Tensor:
        """Codes (R,10,D) from the centre (x, y) and visibility of a thing in every frame (R,T,3)."""
        moments = torch.linspace(0, path.shape[1] - 1, CODE_TIMES, device=path.device).round().long()
        return self._tokens(self.path(path[:, moments].flatten(1)))

    def _tokens(self, x: Tensor) -> Tensor:
        return self.norm(x.unflatten(1, (SEG_TOKENS, self.width)))


class Pointer(nn.Module):
    """Scores the cells of the whole clip for each sentence by content alone, without positions."""

    def __init__(self, vision: int) -> None:
        super().__init__()
        self.query = nn.Linear(256, vision)
        self.key = nn.Linear(vision, vision)

    def forward(self, meaning: Tensor, tower: Tensor) -> Tensor:
        """Logits (B,S,T*cells) from meanings (B,S,256) and tower tokens (B,T,cells,Cv)."""
        keys = self.key(tower.flatten(1, 2))
        return self.query(meaning) @ keys.transpose(1, 2) / tower.shape[-1] ** 0.5


class AuxiliaryHeads(nn.Module):
    """All auxiliary heads.

    Their inputs are the tower's tokens (B,T,cells,Cv), SAM 2's coarse maps as tokens (B,T,cells,C), [SEG] states (B,S,10,D),
    and the meaning of a sentence (B,S,256), which `meaning` computes from its ten [SEG] states.
    """

    def __init__(self, config: VirstConfig) -> None:
        super().__init__()
        vision, language, sam = config.vision.width, config.language.width, config.segmentation.width
        self.codes = Codes(language)
        self.tower_kind = nn.Linear(vision, len(KINDS) + 1)
        self.tower_colour = nn.Linear(vision, len(COLOURS) + 1)
        self.tower_state = nn.Linear(vision, len(STATES) + 1)
        self.tower_motion = nn.Linear(vision, 2)
        self.dense_kind = nn.Linear(sam, len(KINDS) + 1)
        self.dense_colour = nn.Linear(sam, len(COLOURS) + 1)
        self.occupancy = nn.Linear(sam, 1)
        self.prompt_query = nn.Linear(SEG_TOKENS * sam, sam)
        self.prompt_key = nn.Linear(sam, sam)
        self.prompt_where = nn.Linear(SEG_TOKENS * sam, CELLS)
        self.meaning = nn.Sequential(nn.Linear(SEG_TOKENS * language, 256), nn.GELU(), nn.LayerNorm(256))
        self.words = nn.Linear(256, LONGEST_SENTENCE * config.language.vocabulary)
        self.target_kind = nn.Linear(256, len(KINDS))
        self.target_colour = nn.Linear(256, len(COLOURS))
        self.target_exists = nn.Linear(256, 1)
        self.heat_course = nn.Linear(256, COURSE * 256)
        self.heat_where = nn.Linear(256, CELLS + 1)
        self.heat_query = nn.Linear(256, vision)
        self.heat_key = nn.Linear(vision, vision)
        self.point = Pointer(vision)
        self.moment = Pointer(vision)

    def heat(self, meaning: Tensor, tower: Tensor) -> Tensor:
        """Logits (B,S,T,cells+1) of where each sentence's target is in every frame; the last one means that it is absent."""
        course = self.heat_course(meaning).unflatten(2, (COURSE, -1))  # B,S,COURSE,256
        at = cosines(tower.shape[1], COURSE, device=tower.device).to(course) @ course  # B,S,T,256
        where = self.heat_where(at)
        match = torch.einsum("bstc,btkc->bstk", self.heat_query(at), self.heat_key(tower)) / tower.shape[-1] ** 0.5
        return torch.cat([where[..., :-1] + match, where[..., -1:]], -1)

    def prompted(self, prompts: Tensor, grids: Tensor) -> Tensor:
        """Logits (R,T,cells) of the target's cells from mask prompts (R,10,T,C) and frame tokens (R,T,cells,C)."""
        joined = prompts.transpose(1, 2).flatten(2)  # R,T,10*C
        match = self.prompt_key(grids) @ self.prompt_query(joined)[..., None]  # R,T,cells,1
        return self.prompt_where(joined) + match[..., 0] / grids.shape[-1] ** 0.5
