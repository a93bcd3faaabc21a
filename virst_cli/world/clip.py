"""One synthetic clip: draws a scene, its pixels and its sentences from one seed."""

from collections.abc import Sequence

import numpy as np

from virst_cli.errors import UsageError
from virst_cli.world.grammar import SHORTEST, write_sentences
from virst_cli.world.predicates import Facts
from virst_cli.world.render import render_scene
from virst_cli.world.scene import SHARED, draw_scene
from virst_cli.world.things import TYPES, Clip

SCENES = 200  # drawn at most until one yields a sentence of the wanted types
SHORTEST_ORDER = 7  # frames that two events after one another need


def make_clip(
    seed: int | np.random.Generator,
    *,
    frames: int = 8,
    size: tuple[int, int] = (128, 128),
    sentences: int = 4,
    types: Sequence[str] | None = None,
    every: int = 1,
) -> Clip:
    """A clip of `frames` frames of `size` (width, height) pixels with one to `sentences` sentences.

    `every`: only every n-th of the frames is made; the sentences are about all of them.
    `types` limits the sentences to some of TYPES; one that is named twice gets twice as many turns. The same seed gives
    the same clip; a generator is advanced. Raises `UsageError` for what can't be drawn.
    """
    wanted = _checked(frames, size, sentences, types)
    rng = np.random.default_rng(seed)
    width, height = size
    for _ in range(SCENES):
        shared = 1.0 if set(wanted) == {"order"} else SHARED
        actors = draw_scene(rng, frames=frames, width=width, height=height, shared=shared)
        things = tuple(actor.thing for actor in actors)
        said = write_sentences(rng, Facts(things, width, height), count=sentences, types=wanted)
        if said:
            images, ids = render_scene(rng, actors, times=range(0, frames, every), width=width, height=height)
            return Clip(images, ids, tuple(thing.every(every) for thing in things), said)
    raise UsageError(
        f"no sentence of type {', '.join(dict.fromkeys(wanted))} fits a clip of {frames} frames of {width}x{height}: "
        "ask for more frames or types"
    )


def _checked(frames: int, size: tuple[int, int], sentences: int, types: Sequence[str] | None) -> tuple[str, ...]:
    """The wanted types, without those that so short a clip can't show."""
    wanted = tuple(TYPES if types is None else types)
    unknown = sorted(set(wanted) - set(TYPES))
    if unknown or not wanted:
        raise UsageError(f"unknown sentence types {unknown}: use some of {', '.join(TYPES)}")
    if frames < 1 or min(size) < 16 or sentences < 1:
        raise UsageError("a clip needs 1 frame, 16x16 pixels and 1 sentence at least: raise frames, size or sentences")
    possible = tuple(t for t in wanted if frames >= {"motion": SHORTEST, "order": SHORTEST_ORDER}.get(t, 1))
    if not possible:
        raise UsageError(f"{frames} frames are too few for {', '.join(wanted)}: use {SHORTEST_ORDER} or more")
    return possible
