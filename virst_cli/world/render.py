"""Draws a scene as frames and id maps: a panning textured background, the sprites from far to near, and pixel noise.

Backgrounds and noise are made once per frame size and reused. A frame then costs one crop, a blend of each sprite's box, and one
addition.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from virst_cli.world.scene import Actor
from virst_cli.world.sprites import PHASES, sprite
from virst_cli.world.things import ABSENT, AIR, STILL

BACKGROUNDS = 64  # different ones at 128 x 128 pixels; fewer for larger frames, to limit memory
PAN = 0.2  # margin in which the camera moves, as a share of the frame's side
NOISE = 5.0  # standard deviation of the pixel noise


def render_scene(
    rng: np.random.Generator, actors: list[Actor], *, times: range, width: int, height: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The frames (T, H, W, 3) and ids (T, H, W) of a scene, both uint8. Visible pixels of actors[i] have the id i+1.

    times: numbers of the frames to draw.
    width, height: in pixels.
    """
    ids = np.zeros((len(times), height, width), dtype=np.uint8)
    images = _pan_background(rng, times, width, height)
    order = sorted(range(len(actors)), key=lambda i: actors[i].base)
    for frame, (t, image) in enumerate(zip(times, images, strict=True)):
        for i in order:
            if actors[i].thing.states[t] != ABSENT:
                _blend_sprite(image, ids[frame], actors[i], t, i + 1)
    noise = _noise(width, height)
    for image in images:
        dy, dx = rng.integers(0, 32, size=2)
        noisy = image.astype(np.int16)
        noisy += noise[dy : dy + height, dx : dx + width]
        np.clip(noisy, 0, 255, out=noisy)
        image[...] = noisy
    return images, ids


def _blend_sprite(image: npt.NDArray[np.uint8], ids: npt.NDArray[np.uint8], actor: Actor, t: int, number: int) -> None:
    """Blend a sprite into a frame and its ids, where its box lies within the frame."""
    side, (height, width) = actor.side, ids.shape
    x, y = (round(float(c) - side / 2) for c in actor.thing.path[t])
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if x0 >= x1 or y0 >= y1:
        return
    flip = bool(actor.faces_left[t]) and actor.thing.kind != "ball"  # a mirrored ball would roll backwards
    pose = sprite(actor.thing.kind, actor.thing.colour, _phase(actor, t), side, flip)
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    box = image[y0:y1, x0:x1]
    box[...] = (pose.paint[part] + box * pose.through[part]) >> 8
    ids[y0:y1, x0:x1][pose.solid[part]] = number


def _phase(actor: Actor, t: int) -> int:
    """The pose of an actor in frame t: wheels and balls turn with x, legs and wings move with time unless it stands."""
    kind, state, count = actor.thing.kind, actor.thing.states[t], PHASES[actor.thing.kind]
    if kind in ("ball", "car"):
        turns = float(actor.thing.path[t, 0]) / (actor.side * (2.8 if kind == "ball" else 0.8))
        return round(turns * count * (-1 if kind == "car" and actor.faces_left[t] else 1)) % count
    if state == STILL:
        return 0
    return 1 % count if state == AIR else (t + actor.gait) % count


def _pan_background(rng: np.random.Generator, times: range, width: int, height: int) -> npt.NDArray[np.uint8]:
    """A tinted background under a slowly moving camera, (T, H, W, 3) uint8."""
    bank = max(4, min(BACKGROUNDS, BACKGROUNDS * 128 * 128 // (width * height)))
    canvas = _background(width, height, int(rng.integers(bank)))
    if rng.random() < 0.5:
        canvas = canvas[:, ::-1]
    gain = rng.uniform(0.85, 1.15) + rng.uniform(-0.06, 0.06, size=3)
    canvas = np.minimum(canvas * gain.astype(np.float32), 250).astype(np.uint8)
    room = np.array(canvas.shape[:2]) - (height, width)  # y, x
    start, end = rng.uniform(0, 1, size=(2, 2)) * room
    way = (end - start) * min(1.0, times.stop / 16)  # short clips pan less: about a pixel a frame at 128
    out = np.empty((len(times), height, width, 3), dtype=np.uint8)
    for frame, t in zip(out, times, strict=True):
        y, x = (start + way * t / max(1, times.stop - 1)).astype(int).tolist()
        frame[...] = canvas[y : y + height, x : x + width]
    return out


@lru_cache(maxsize=4 * BACKGROUNDS)
def _background(width: int, height: int, number: int) -> npt.NDArray[np.uint8]:
    """Ground and sky in muted colours with a horizon, perhaps stripes, and blotches of several sizes."""
    rng = np.random.default_rng((width, height, number))
    w, h = width + 1 + round(width * PAN), height + 1 + round(height * PAN)
    sky, ground = _muted(rng), _muted(rng)
    y, x = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j].astype(np.float32)  # h, w
    line = rng.uniform(0.15, 0.6) + 0.05 * np.sin(x * rng.uniform(2, 9) + rng.uniform(0, 6))
    below = np.clip((y - line) * (60 if rng.random() < 0.7 else 3), 0, 1)[..., None]
    image = sky * (1 - below) + ground * below
    if rng.random() < 0.4:
        angle, count = rng.uniform(0, np.pi), rng.uniform(3, 12)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * count * 2 * np.pi)
        image += rng.uniform(4, 14) * np.tanh(4 * wave)[..., None] * below
    for cells in (3, 7, 17, 43):
        blotch = rng.normal(size=(cells, cells)).astype(np.float32)
        image += rng.uniform(3, 9) * np.asarray(Image.fromarray(blotch).resize((w, h), Image.Resampling.BICUBIC))[..., None]
    canvas: npt.NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return canvas


def _muted(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A colour that no sprite has: medium lightness, little saturation."""
    grey = rng.uniform(95, 190)
    return (grey + rng.uniform(-22, 22, size=3)).astype(np.float32)


@lru_cache(maxsize=4)
def _noise(width: int, height: int) -> npt.NDArray[np.int16]:
    """Noise that is larger than a frame, to be cropped at a random place."""
    rng = np.random.default_rng((width, height))
    return np.rint(rng.normal(0, NOISE, size=(height + 32, width + 32, 3))).astype(np.int16)
