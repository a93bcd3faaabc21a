"""Small heads that exist only while training: they ask every part what it knows, so that it learns to know it."""

import torch
from torch import Tensor, nn

from virst_cli.model.config import SEG_TOKENS, VirstConfig
from virst_cli.model.fusion import cosines
from virst_cli.training.data import LONGEST_SENTENCE
from virst_cli.training.training_batch import GRID
from virst_cli.world import COLOURS, KINDS, STATES

CELLS = GRID * GRID
CODE_TIMES = 8  # a trajectory is told to the code as its place at eight moments
COURSE = 6  # functions of time of which the way of a target through a clip is made


class Codes(nn.Module):
    """Pseudo [SEG] states before there is a language model: made from kind and colour flags, or from a trajectory.

    They go through the real SegPrompter and mask decoder, which so learn to be asked.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        flags, path = len(KINDS) + len(COLOURS), 3 * CODE_TIMES
        self.flags = nn.Sequential(nn.Linear(flags, 256), nn.GELU(), nn.Linear(256, SEG_TOKENS * width))
        self.path = nn.Sequential(nn.Linear(path, 256), nn.GELU(), nn.Linear(256, SEG_TOKENS * width))
        self.norm = nn.LayerNorm(width)

    def from_flags(self, kind: Tensor, colour: Tensor) -> Tensor:
        """One-hot kind (R,kinds) and colour (R,colours), all zero for "any" -> (R,10,D)."""
        return self._tokens(self.flags(torch.cat([kind, colour], -1)))

    def from_path(self, path: Tensor) -> Tensor:
        """Centre and visibility (R,T,3) -> (R,10,D)."""
        moments = torch.linspace(0, path.shape[1] - 1, CODE_TIMES, device=path.device).round().long()
        return self._tokens(self.path(path[:, moments].flatten(1)))

    def _tokens(self, x: Tensor) -> Tensor:
        return self.norm(x.unflatten(1, (SEG_TOKENS, self.width)))


class Pointer(nn.Module):
    """Which cells of the whole clip each sentence is about, by content alone."""

    def __init__(self, vision: int) -> None:
        super().__init__()
        self.query = nn.Linear(256, vision)
        self.key = nn.Linear(vision, vision)

    def forward(self, meaning: Tensor, tower: Tensor) -> Tensor:
        """Meanings (B,S,256) and tower tokens (B,T,cells,Cv) to (B,S,T*cells)."""
        keys = self.key(tower.flatten(1, 2))
        return self.query(meaning) @ keys.transpose(1, 2) / tower.shape[-1] ** 0.5


class AuxiliaryHeads(nn.Module):
    """All heads. Shapes: tower tokens (B,T,cells,Cv), SAM2's coarse maps as tokens (B,T,cells,C), [SEG] states (B,S,10,D)."""

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
        """Where each sentence's target is in every frame, or (last) that it is absent: (B,S,T,cells+1)."""
        course = self.heat_course(meaning).unflatten(2, (COURSE, -1))  # B,S,COURSE,256
        at = cosines(tower.shape[1], COURSE, device=tower.device).to(course) @ course  # B,S,T,256
        where = self.heat_where(at)
        match = torch.einsum("bstc,btkc->bstk", self.heat_query(at), self.heat_key(tower)) / tower.shape[-1] ** 0.5
        return torch.cat([where[..., :-1] + match, where[..., -1:]], -1)

    def prompted(self, prompts: Tensor, grids: Tensor) -> Tensor:
        """Which cells of its frame a prompt is about: prompts (R,10,T,C) and grids (R,T,cells,C) to (R,T,cells)."""
        asked = prompts.transpose(1, 2).flatten(2)  # R,T,10*C
        match = self.prompt_key(grids) @ self.prompt_query(asked)[..., None]  # R,T,cells,1
        return self.prompt_where(asked) + match[..., 0] / grids.shape[-1] ** 0.5
