"""Batches of synthetic clips with all labels that training supervises.

Each batch has its own seed, so a resumed run sees the same batches as an uninterrupted one.
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

LONGEST_SENTENCE = 16  # tokens of a sentence that the words loss predicts; further ones are left out
SHAPES = (  # width, height; all clips of a seed have the same
    *((128, 128),) * 3, (192, 108), (320, 180), (108, 192), (180, 320), (180, 320), (160, 120), (256, 256),
)  # fmt: skip
LONG = 32  # frames from which on a clip may be every n-th frame of a longer one, as the model sees a long video
STRIDES = (1, 2, 3, 5, 5, 10)  # such n; one that is listed twice is drawn twice as often
COMPRESSED = 0.5  # share of the clips that are compressed with H.264
CRF = (26, 45)  # x264's constant rate factor: at least, less than
AROUND = 2  # frames before and after a sudden event that show it
NOTHING = -1  # label where there is no thing or no token; losses over things and tokens ignore it


@dataclass
class WorldBatch(TrainingBatch):
    """Synthetic clips with all labels of their things."""

    ids: Tensor  # B,T,H,W uint8   0 background, k+1 thing k
    kind: Tensor  # B,K   index into KINDS, or NOTHING
    colour: Tensor  # B,K   index into COLOURS, or NOTHING
    state: Tensor  # B,T,K   index into STATES
    centre: Tensor  # B,T,K,2   x, y as shares of the frame's width and height
    moments: Tensor  # B,S,T,K bool   frames in which a target does what the sentence says
    words: Tensor  # B,S,LONGEST_SENTENCE   token ids of the sentence itself, then NOTHING

    def masks(self, clip: Tensor, time: Tensor, targets: Tensor) -> Tensor:
        """True masks (R,H,W) float of R rows, as `TrainingBatch.masks` says."""
        wanted = F.pad(targets.float(), (1, 0))  # R,K+1   the background is never a target
        return wanted.gather(1, self.ids[clip, time].flatten(1).long()).view(len(targets), *self.ids.shape[2:])


@dataclass(frozen=True)
class WorldClips:
    """The synthetic world as a source of batches; frames are resized to `size` x `size` pixels."""

    prompts: PromptBuilder
    size: int
    name: str = "synthetic world"

    def __call__(
        self, keys: Sequence[Sequence[int]], *, clips: int, frames: int, sentences: int, types: Sequence[str] = TYPES
    ) -> WorldBatch:
        """One batch with `clips` clips for each seed in `keys`; see `BatchSource`."""
        drawn = [clip for key in keys for clip in draw(key, clips=clips, frames=frames, sentences=sentences, types=types)]
        return collate(drawn, self.prompts, sentences, self.size)


def draw(seed: Sequence[int], *, clips: int, frames: int, sentences: int, types: Sequence[str] = TYPES) -> list[Clip]:
    """Draw `clips` clips of one shape; the same seed gives the same clips.

    seed: a sequence of integers.
    frames, sentences: per clip.
    types: types of sentences.
    """
    rng = np.random.default_rng(list(seed))
    size = SHAPES[int(rng.integers(len(SHAPES)))]
    every = int(rng.choice(STRIDES)) if frames >= LONG else 1
    drawn = [
        make_clip(rng, frames=frames * every, size=size, sentences=sentences, types=types, every=every) for _ in range(clips)
    ]
    compressed = (rng.random(clips) < COMPRESSED).nonzero()[0]
    if len(compressed):
        decoded = through_h264(np.stack([drawn[number].frames for number in compressed]), int(rng.integers(*CRF)))
        for number, pixels in zip(compressed, decoded, strict=True):
            drawn[number] = replace(drawn[number], frames=pixels)
    return drawn


def collate(clips: Sequence[Clip], prompts: PromptBuilder, sentences: int, size: int) -> WorldBatch:
    """One batch of clips, resized to `size` x `size` pixels.

    A clip with fewer than `sentences` sentences repeats them; one with fewer things than others is padded with NOTHING.
    """
    things, frames = max(len(clip.things) for clip in clips), len(clips[0].frames)

    def table(values: list[list[int]]) -> Tensor:
        return torch.tensor([row + [NOTHING] * (things - len(row)) for row in values])

    state = np.zeros((len(clips), frames, things), np.int64)
    centre = np.zeros((len(clips), frames, things, 2), np.float32)
    targets = torch.zeros(len(clips), sentences, things, dtype=torch.bool)
    moments = torch.zeros(len(clips), sentences, frames, things, dtype=torch.bool)
    all_prompts, all_words = [], []
    for b, clip in enumerate(clips):
        height, width = clip.ids.shape[1:]
        for k, thing in enumerate(clip.things):
            state[b, :, k] = thing.states
            centre[b, :, k] = thing.path / (width, height)
        chosen = [clip.sentences[s % len(clip.sentences)] for s in range(sentences)]
        for s, sentence in enumerate(chosen):
            targets[b, s, list(sentence.targets)] = True
            for k in sentence.targets:
                for event in _supervised_events(sentence, clip.things[k]):
                    moments[b, s, _visible_frames(event), k] = True
        all_prompts.append([prompts.build(sentence.text) for sentence in chosen])
        all_words.append([prompts.tokenizer.encode(sentence.text).ids[:LONGEST_SENTENCE] for sentence in chosen])
    squares = [_resize(clip, size) for clip in clips]
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
        words=torch.tensor([[ids + [NOTHING] * (LONGEST_SENTENCE - len(ids)) for ids in clip] for clip in all_words]),
        prompts=all_prompts,
    )


def _resize(clip: Clip, size: int) -> tuple[Tensor, Tensor]:
    """Frames (T,3,size,size) and ids (T,size,size) of a clip, both uint8."""
    images, ids = torch.from_numpy(clip.frames).permute(0, 3, 1, 2), torch.from_numpy(clip.ids)
    if images.shape[-2:] == (size, size):
        return images, ids
    rows, columns = (((torch.arange(size) + 0.5) * side / size).long() for side in ids.shape[1:])
    resized = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized, ids[:, rows[:, None], columns]


def _supervised_events(sentence: Sentence, thing: Thing) -> Sequence[Event]:
    """The events of a target that the sentence means: all of its event's name, or only the first or the last."""
    events = [event for event in thing.events if event.name == sentence.event]
    return {"first": events[:1], "last": events[-1:], None: events}[sentence.which]


def _visible_frames(event: Event) -> slice:
    """The frames that show an event; those around it too if it is sudden."""
    sudden = event.end - event.start == 1
    return slice(max(0, event.start - AROUND), event.end + AROUND - 1) if sudden else slice(event.start, event.end)
