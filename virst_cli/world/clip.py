"""Draws a synthetic clip: a scene, its frames and its sentences, from one seed."""

from collections.abc import Sequence

import numpy as np

from virst_cli.errors import UsageError
from virst_cli.world.grammar import SHORTEST, write_sentences
from virst_cli.world.predicates import Facts
from virst_cli.world.render import render_scene
from virst_cli.world.scene import SHARED, draw_scene
from virst_cli.world.things import TYPES, Clip

MAX_SCENES = 200  # scenes drawn until one yields a sentence of the wanted types
SHORTEST_ORDER = 7  # frames needed for two events, one after the other


def make_clip(
    seed: int | np.random.Generator,
    *,
    frames: int = 8,
    size: tuple[int, int] = (128, 128),
    sentences: int = 4,
    types: Sequence[str] | None = None,
    every: int = 1,
) -> Clip:
    """Draw a clip. The same seed gives the same clip; a generator is advanced.

    frames: length of the clip.
    size: width and height in pixels.
    sentences: number of sentences at most; there is at least one.
    types: some of TYPES, to limit the sentences to them; a type that is listed twice is tried twice as often.
    every: draw only every n-th frame; the sentences are about all frames.
    Raises UsageError if no such clip can be drawn.
    """
    wanted = _possible_types(frames, size, sentences, types)
    rng = np.random.default_rng(seed)
    width, height = size
    for _ in range(MAX_SCENES):
        shared = 1.0 if set(wanted) == {"order"} else SHARED
        actors = draw_scene(rng, frames=frames, width=width, height=height, shared=shared)
        things = tuple(actor.thing for actor in actors)
        written = write_sentences(rng, Facts(things, width, height), count=sentences, types=wanted)
        if written:
            images, ids = render_scene(rng, actors, times=range(0, frames, every), width=width, height=height)
            return Clip(images, ids, tuple(thing.every(every) for thing in things), written)
    raise UsageError(
        f"no sentence of type {', '.join(dict.fromkeys(wanted))} fits a clip of {frames} frames of {width}x{height}; "
        "use more frames or more types"
    )


def _possible_types(frames: int, size: tuple[int, int], sentences: int, types: Sequence[str] | None) -> tuple[str, ...]:
    """The wanted types without those that need a longer clip. Raises UsageError if none is left or an argument is invalid."""
    wanted = tuple(TYPES if types is None else types)
    unknown = sorted(set(wanted) - set(TYPES))
    if unknown or not wanted:
        raise UsageError(f"unknown sentence types {unknown}; use some of {', '.join(TYPES)}")
    if frames < 1 or min(size) < 16 or sentences < 1:
        raise UsageError("a clip needs at least 1 frame, 16x16 pixels and 1 sentence; increase frames, size or sentences")
    possible = tuple(t for t in wanted if frames >= {"motion": SHORTEST, "order": SHORTEST_ORDER}.get(t, 1))
    if not possible:
        raise UsageError(f"{frames} frames are too few for {', '.join(wanted)}; use at least {SHORTEST_ORDER}")
    return possible
