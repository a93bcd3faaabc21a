"""The contact sheet: what a model finds in held-out clips of the synthetic world, its successes and its failures.

    python tools/make_sheet.py weights/sheet.png [MODEL] [VIDEOS]

For every type of sentence, on the left a good answer (three quarters are worse), on the right the worst. Tinted: what the model
found; white line: the truth. The number is J&F over all frames.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import virst_cli
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.metrics import boundary, region
from virst_cli.outputs.font import legible
from virst_cli.outputs.overlay import Overlay
from virst_cli.outputs.style import Style
from virst_cli.world import TYPES

SIDE = 176  # pixels of a frame
SHOWN = 4  # frames of each answer
GAP, HEAD = 6, 26
PAPER, INK, GREY = (250, 250, 247), (25, 25, 30), (120, 120, 128)
TINT, TRUTH = (255, 0, 150), (255, 255, 255)


@dataclass(frozen=True)
class Answer:
    """A sentence, how well it was answered, and frames that show it."""

    text: str
    score: float  # J&F, 0 to 1
    frames: list[np.ndarray]  # SIDE, SIDE, 3 uint8


def main(picture: Path, model: str = "virst-nano", videos: int = 24) -> None:
    answers = answered(model, videos)
    rows = [(name, *chosen(found)) for name in TYPES if (found := answers[name])]
    width = 2 * SHOWN * SIDE + (2 * SHOWN + 3) * GAP
    sheet = Image.new("RGB", (width, len(rows) * (SIDE + HEAD + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, (name, good, bad) in enumerate(rows):
        top = GAP + row * (SIDE + HEAD + GAP)
        for column, answer in enumerate((good, bad)):
            left = GAP + column * (SHOWN * (SIDE + GAP) + GAP)
            text, font = legible(f"{name}: “{answer.text}”", 15)
            draw.text((left, top + 4), text, INK, font)
            score, font = legible(f"{100 * answer.score:.0f}", 15)
            draw.text((left + SHOWN * (SIDE + GAP) - GAP, top + 4), score, GREY, font, anchor="ra")
            for k, frame in enumerate(answer.frames):
                sheet.paste(Image.fromarray(frame), (left + k * (SIDE + GAP), top + HEAD))
    sheet.quantize(192, dither=Image.Dither.NONE).save(picture, optimize=True)


def answered(model: str, videos: int) -> dict[str, list[Answer]]:
    segmenter = virst_cli.load(model)
    found = Overlay((SIDE, SIDE), [""], [TINT], style=Style.parse("fill"), opacity=0.5, label=False)
    meant = Overlay((SIDE, SIDE), [""], [TRUTH], style=Style.parse("outline"), label=False)
    answers: dict[str, list[Answer]] = {name: [] for name in TYPES}
    for sample in WorldSet(videos=videos, seed=7, size=(SIDE, SIDE)):
        masks = list(segmenter.segment_frames(sample.frames, [e.text for e in sample.expressions]))  # per frame n,H,W
        times = np.linspace(0, len(masks) - 1, SHOWN).round().astype(int)
        for n, expression in enumerate(sample.expressions):
            pairs = [(masks[t][n], expression.truth[t]) for t in range(len(masks))]
            score = float(np.mean([(region(p, g) + boundary(p, g)) / 2 for p, g in pairs]))
            frames = [meant.paint(found.paint(sample.frames[t], pairs[t][0][None]), pairs[t][1][None]) for t in times]
            answers[expression.type].append(Answer(expression.text, score, frames))
    return answers


def chosen(answers: list[Answer]) -> tuple[Answer, Answer]:
    """One of the good ones, and the worst."""
    ranked = sorted(answers, key=lambda answer: answer.score)
    return ranked[-1 - len(ranked) // 4], ranked[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3], *map(int, sys.argv[3:4]))
