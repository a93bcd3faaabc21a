"""Batches of world clips with everything that training supervises.

A batch is drawn from its own seed, so a resumed run sees the batches that an uninterrupted one would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from virst_cli.model.prompt import Prompt, PromptBuilder
from virst_cli.world import COLOURS, KINDS, TYPES, Clip, make_clip

GRID = 8  # cells a side in which training says where things are
LONGEST_SENTENCE = 12  # words that training asks back
NOTHING = -1  # label of a cell or a slot without a thing; ignored by the losses that only concern things


@dataclass
class Batch:
    """B clips of T frames with S sentences each and at most K things a clip."""

    images: Tensor  # B,T,3,H,W uint8
    ids: Tensor  # B,T,H,W uint8   0 background, k+1 thing k
    cover: Tensor  # B,T,cells,K   share of the cell's pixels that show the thing
    kind: Tensor  # B,K   index into KINDS, or NOTHING
    colour: Tensor  # B,K
    state: Tensor  # B,T,K
    centre: Tensor  # B,T,K,2   in image widths
    targets: Tensor  # B,S,K bool
    words: Tensor  # B,S,words   token ids of the sentence itself, then NOTHING
    prompts: list[list[Prompt]]

    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """Truth (R,H,W) float of R rows: targets (R,K) in frame `time` of `clip`."""
        wanted = torch.cat([torch.zeros(len(targets), 1), targets.float()], dim=1)  # R,K+1   background never
        return wanted.gather(1, self.ids[clip, time].flatten(1).long()).view(len(targets), *self.ids.shape[2:])

    def share(self, targets: Tensor) -> Tensor:
        """Share of every cell that shows the targets (B,S,K) of a sentence, (B,S,T,cells)."""
        return (self.cover[:, None] * targets[:, :, None, None]).sum(-1)


def draw(
    seed: Sequence[int], prompts: PromptBuilder, *, clips: int, frames: int, sentences: int, size: int,
    types: Sequence[str] = TYPES,
) -> Batch:  # fmt: skip
    """A batch from its seed, a sequence of numbers; the same seed gives the same batch."""
    rng = np.random.default_rng(list(seed))
    return collate(
        [
            make_clip(rng, frames=frames, size=(size, size), sentences=sentences, types=types)
            for _ in range(clips)
        ],
        prompts,
        sentences,
    )  # fmt: skip


def collate(clips: Sequence[Clip], prompts: PromptBuilder, sentences: int) -> Batch:
    """Clips as one batch; things and sentences that a clip lacks are filled up."""
    things = max(len(clip.things) for clip in clips)
    frames = len(clips[0].frames)

    def table(values: list[list[int]]) -> Tensor:
        return torch.tensor([row + [NOTHING] * (things - len(row)) for row in values])

    state = np.zeros((len(clips), frames, things), np.int64)
    centre = np.zeros((len(clips), frames, things, 2), np.float32)
    targets = torch.zeros(len(clips), sentences, things, dtype=torch.bool)
    asked, said = [], []
    for b, clip in enumerate(clips):
        for k, thing in enumerate(clip.things):
            state[b, :, k] = thing.states
            centre[b, :, k] = thing.path / clip.frames.shape[2]
        chosen = [clip.sentences[s % len(clip.sentences)] for s in range(sentences)]  # too few: asked again
        for s, sentence in enumerate(chosen):
            targets[b, s, list(sentence.targets)] = True
        asked.append([prompts.build(sentence.text) for sentence in chosen])
        said.append([prompts.tokenizer.encode(sentence.text).ids[:LONGEST_SENTENCE] for sentence in chosen])
    ids = np.stack([clip.ids for clip in clips])
    return Batch(
        images=torch.from_numpy(np.stack([clip.frames for clip in clips])).permute(0, 1, 4, 2, 3),
        ids=torch.from_numpy(ids),
        cover=torch.from_numpy(_cover(ids, things)),
        kind=table([[KINDS.index(thing.kind) for thing in clip.things] for clip in clips]),
        colour=table([[COLOURS.index(thing.colour) for thing in clip.things] for clip in clips]),
        state=torch.from_numpy(state),
        centre=torch.from_numpy(centre),
        targets=targets,
        words=torch.tensor([[ids + [NOTHING] * (LONGEST_SENTENCE - len(ids)) for ids in clip] for clip in said]),
        prompts=asked,
    )


def _cover(ids: np.ndarray, things: int) -> np.ndarray:
    batch, frames, height, width = ids.shape
    cells = ids.reshape(batch, frames, GRID, height // GRID, GRID, width // GRID)
    shares = [(cells == k + 1).mean(axis=(3, 5), dtype=np.float32).reshape(batch, frames, -1) for k in range(things)]
    return np.stack(shares, axis=-1)
