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
from virst_cli.training.batch import Batch, covered
from virst_cli.training.compression import through_h264
from virst_cli.world import COLOURS, KINDS, TYPES, Clip, Event, Sentence, Thing, make_clip

LONGEST_SENTENCE = 16  # words that training asks back
SHAPES = (  # width, height of a batch's clips
    *((128, 128),) * 3, (192, 108), (320, 180), (108, 192), (180, 320), (180, 320), (160, 120), (256, 256),
)  # fmt: skip
LONG = 32  # frames; a batch of that many may be every n-th frame of longer clips, as the model sees a long video
STRIDES = (1, 2, 3, 5, 5, 10)
COMPRESSED = 0.5  # of the clips have been through H.264 at a constant rate factor between these
CRF = (26, 45)
AROUND = 2  # frames before and after a sudden event that show it
NOTHING = -1  # label of a cell or a slot without a thing; ignored by the losses that only concern things


@dataclass
class WorldBatch(Batch):
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
        wanted = torch.cat([torch.zeros(len(targets), 1), targets.float()], dim=1)  # R,K+1   background never
        return wanted.gather(1, self.ids[clip, time].flatten(1).long()).view(len(targets), *self.ids.shape[2:])


@dataclass(frozen=True)
class WorldClips:
    """A source of batches: the synthetic world, resized to `size`."""

    prompts: PromptBuilder
    size: int
    name: str = "synthetic world"

    def __call__(
        self, key: Sequence[int], *, clips: int, frames: int, sentences: int, types: Sequence[str] = TYPES
    ) -> WorldBatch:  # fmt: skip
        """The batch of a seed. Its clips have one of SHAPES before they are resized, as a user's are."""
        return draw(key, self.prompts, clips=clips, frames=frames, sentences=sentences, size=self.size, types=types)


def draw(
    seed: Sequence[int], prompts: PromptBuilder, *, clips: int, frames: int, sentences: int, size: int,
    types: Sequence[str] = TYPES,
) -> WorldBatch:  # fmt: skip
    """A batch from its seed, a sequence of numbers; the same seed gives the same batch."""
    rng = np.random.default_rng(list(seed))
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    stride = int(rng.choice(STRIDES)) if frames >= LONG else 1
    drawn = [
        _every(stride, make_clip(rng, frames=frames * stride, size=shape, sentences=sentences, types=types)) for _ in range(clips)
    ]
    drawn = [
        replace(clip, frames=through_h264(clip.frames, int(rng.integers(*CRF)))) if rng.random() < COMPRESSED else clip
        for clip in drawn
    ]
    return collate(drawn, prompts, sentences, size)


def collate(clips: Sequence[Clip], prompts: PromptBuilder, sentences: int, size: int) -> WorldBatch:
    """Clips of one shape as one batch of that size; things and sentences that a clip lacks are filled up."""
    things = max(len(clip.things) for clip in clips)
    frames, height, width = clips[0].ids.shape

    def table(values: list[list[int]]) -> Tensor:
        return torch.tensor([row + [NOTHING] * (things - len(row)) for row in values])

    state = np.zeros((len(clips), frames, things), np.int64)
    centre = np.zeros((len(clips), frames, things, 2), np.float32)
    targets = torch.zeros(len(clips), sentences, things, dtype=torch.bool)
    moments = torch.zeros(len(clips), sentences, frames, things, dtype=torch.bool)
    asked, said = [], []
    for b, clip in enumerate(clips):
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
    ids = np.stack([clip.ids for clip in clips])
    images = torch.from_numpy(np.stack([clip.frames for clip in clips])).permute(0, 1, 4, 2, 3)
    if (height, width) != (size, size):
        rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in (height, width))
        ids = ids[:, :, rows[:, None], columns]
        resized = F.interpolate(images.flatten(0, 1), size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        images = resized.unflatten(0, images.shape[:2])
    return WorldBatch(
        images=images,
        ids=torch.from_numpy(ids),
        cover=torch.from_numpy(np.stack([covered(ids == k + 1) for k in range(things)], axis=-1)),
        kind=table([[KINDS.index(thing.kind) for thing in clip.things] for clip in clips]),
        colour=table([[COLOURS.index(thing.colour) for thing in clip.things] for clip in clips]),
        state=torch.from_numpy(state),
        centre=torch.from_numpy(centre),
        targets=targets,
        moments=moments,
        words=torch.tensor([[ids + [NOTHING] * (LONGEST_SENTENCE - len(ids)) for ids in clip] for clip in said]),
        prompts=asked,
    )


def _every(stride: int, clip: Clip) -> Clip:
    """Every n-th frame of a clip, and what is known of its things in these frames."""
    things = tuple(
        replace(
            thing,
            path=thing.path[::stride],
            states=thing.states[::stride],
            events=tuple(replace(e, start=e.start // stride, end=(e.end - 1) // stride + 1) for e in thing.events),
        )
        for thing in clip.things
    )
    return replace(clip, frames=clip.frames[::stride], ids=clip.ids[::stride], things=things)


def _decisive(sentence: Sentence, thing: Thing) -> Sequence[Event]:
    """The events by which a target is known: all of that name, or only its first or its last."""
    events = [event for event in thing.events if event.name == sentence.event]
    return {"first": events[:1], "last": events[-1:], None: events}[sentence.which]


def _window(event: Event) -> slice:
    sudden = event.end - event.start == 1
    return slice(max(0, event.start - AROUND), event.end + AROUND - 1) if sudden else slice(event.start, event.end)
