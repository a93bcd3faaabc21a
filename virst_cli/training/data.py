"""Batches of world clips with everything that training supervises.

A batch is drawn from its own seed, so a resumed run sees the batches that an uninterrupted one would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from virst_cli.model.prompt import PromptBuilder
from virst_cli.training.compression import through_h264
from virst_cli.training.training_batch import TrainingBatch, covered
from virst_cli.world import COLOURS, KINDS, TYPES, Clip, Event, Sentence, Thing, make_clip

LONGEST_SENTENCE = 16  # words that training asks back
SHAPES = (  # width, height of the clips of a seed
    *((128, 128),) * 3, (192, 108), (320, 180), (108, 192), (180, 320), (180, 320), (160, 120), (256, 256),
)  # fmt: skip
LONG = 32  # frames; a batch of that many may be every n-th frame of longer clips, as the model sees a long video
STRIDES = (1, 2, 3, 5, 5, 10)
COMPRESSED = 0.5  # of the clips have been through H.264 at a constant rate factor between these
CRF = (26, 45)
AROUND = 2  # frames before and after a sudden event that show it
NOTHING = -1  # label of a cell or a slot without a thing; ignored by the losses that only concern things


@dataclass
class WorldBatch(TrainingBatch):
    """World clips with all that is known of their things."""

    ids: Tensor  # B,T,H,W uint8   0 background, k+1 thing k
    kind: Tensor  # B,K   index into KINDS, or NOTHING
    colour: Tensor  # B,K
    state: Tensor  # B,T,K
    centre: Tensor  # B,T,K,2   in shares of the frame's sides
    moments: Tensor  # B,S,T,K bool   where the targets do what the sentence says they do
    words: Tensor  # B,S,words   token ids of the sentence itself, then NOTHING

    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """Truth (R,H,W) float of R rows: targets (R,K) in frame `time` (R,) of `clip` (R,)."""
        wanted = F.pad(targets.float(), (1, 0))  # R,K+1   background never
        return wanted.gather(1, self.ids[clip, time].flatten(1).long()).view(len(targets), *self.ids.shape[2:])


@dataclass(frozen=True)
class WorldClips:
    """A source of batches: the synthetic world, resized to `size`."""

    prompts: PromptBuilder
    size: int
    name: str = "synthetic world"

    def __call__(
        self, keys: Sequence[Sequence[int]], *, clips: int, frames: int, sentences: int, types: Sequence[str] = TYPES
    ) -> WorldBatch:
        """The batch of some seeds, `clips` clips of each. Those of a seed share one of SHAPES, as a user's may have."""
        drawn = [clip for key in keys for clip in draw(key, clips=clips, frames=frames, sentences=sentences, types=types)]
        return collate(drawn, self.prompts, sentences, self.size)


def draw(seed: Sequence[int], *, clips: int, frames: int, sentences: int, types: Sequence[str] = TYPES) -> list[Clip]:
    """Clips of one shape from a seed, a sequence of numbers; the same seed gives the same clips."""
    rng = np.random.default_rng(list(seed))
    size = SHAPES[int(rng.integers(len(SHAPES)))]
    every = int(rng.choice(STRIDES)) if frames >= LONG else 1
    drawn = [
        make_clip(rng, frames=frames * every, size=size, sentences=sentences, types=types, every=every) for _ in range(clips)
    ]
    squeezed = (rng.random(clips) < COMPRESSED).nonzero()[0]
    if len(squeezed):
        back = through_h264(np.stack([drawn[number].frames for number in squeezed]), int(rng.integers(*CRF)))
        for number, pixels in zip(squeezed, back, strict=True):
            drawn[number] = replace(drawn[number], frames=pixels)
    return drawn


def collate(clips: Sequence[Clip], prompts: PromptBuilder, sentences: int, size: int) -> WorldBatch:
    """Clips as one batch of squares of that size; things and sentences that a clip lacks are filled up."""
    things, frames = max(len(clip.things) for clip in clips), len(clips[0].frames)

    def table(values: list[list[int]]) -> Tensor:
        return torch.tensor([row + [NOTHING] * (things - len(row)) for row in values])

    state = np.zeros((len(clips), frames, things), np.int64)
    centre = np.zeros((len(clips), frames, things, 2), np.float32)
    targets = torch.zeros(len(clips), sentences, things, dtype=torch.bool)
    moments = torch.zeros(len(clips), sentences, frames, things, dtype=torch.bool)
    asked, said = [], []
    for b, clip in enumerate(clips):
        height, width = clip.ids.shape[1:]
        for k, thing in enumerate(clip.things):
            state[b, :, k] = thing.states
            centre[b, :, k] = thing.path / (width, height)
        chosen = [clip.sentences[s % len(clip.sentences)] for s in range(sentences)]  # too few: asked again
        for s, sentence in enumerate(chosen):
            targets[b, s, list(sentence.targets)] = True
            for k in sentence.targets:
                for event in _decisive(sentence, clip.things[k]):
                    moments[b, s, _window(event), k] = True
        asked.append([prompts.build(sentence.text) for sentence in chosen])
        said.append([prompts.tokenizer.encode(sentence.text).ids[:LONGEST_SENTENCE] for sentence in chosen])
    squares = [_square(clip, size) for clip in clips]
    images, ids = (torch.stack(parts) for parts in zip(*squares, strict=True))
    return WorldBatch(
        images=images,
        ids=ids,
        cover=torch.from_numpy(np.stack([covered(ids.numpy() == k + 1) for k in range(things)], axis=-1)),
        kind=table([[KINDS.index(thing.kind) for thing in clip.things] for clip in clips]),
        colour=table([[COLOURS.index(thing.colour) for thing in clip.things] for clip in clips]),
        state=torch.from_numpy(state),
        centre=torch.from_numpy(centre),
        targets=targets,
        moments=moments,
        words=torch.tensor([[ids + [NOTHING] * (LONGEST_SENTENCE - len(ids)) for ids in clip] for clip in said]),
        prompts=asked,
    )


def _square(clip: Clip, size: int) -> tuple[Tensor, Tensor]:
    """Frames (T,3,size,size) and ids (T,size,size) of a clip of any shape, both uint8."""
    images, ids = torch.from_numpy(clip.frames).permute(0, 3, 1, 2), torch.from_numpy(clip.ids)
    if images.shape[-2:] == (size, size):
        return images, ids
    rows, columns = (((torch.arange(size) + 0.5) * side / size).long() for side in ids.shape[1:])
    resized = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized, ids[:, rows[:, None], columns]


def _decisive(sentence: Sentence, thing: Thing) -> Sequence[Event]:
    """The events by which a target is known: all of that name, or only its first or its last."""
    events = [event for event in thing.events if event.name == sentence.event]
    return {"first": events[:1], "last": events[-1:], None: events}[sentence.which]


def _window(event: Event) -> slice:
    sudden = event.end - event.start == 1
    return slice(max(0, event.start - AROUND), event.end + AROUND - 1) if sudden else slice(event.start, event.end)
