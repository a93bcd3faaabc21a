"""Draws how a training went, from the log that `virst train` keeps beside the model it makes.

    python tools/make_curves.py my-nano.training/log.jsonl curves.svg

One panel a quantity, steps to the right, the stages as bands. Every point is the mean of ten steps. How long a step takes
depends on stage and device; the log has the seconds.
"""

import json
import sys
from itertools import groupby
from pathlib import Path

from virst_cli.training.loop import LOG_EVERY

PANELS = {
    "J": "J of the masks, % (decoded frames; in propagate, propagated ones)",
    "mask": "mask loss: 4 BCE + Dice",
    "heat": "where the target is, read from the [SEG] states (cross entropy)",
    "moment": "when it does what is said (minus log of the mass on it)",
    "exists": "whether there is a target at all (BCE)",
    "tower": "what the vision tower knows: kind, colour, state, displacement",
}
WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 120, 46, 34, 34
LETTER = 7  # width of one in a stage's name, about; a name that doesn't fit is left out
LINE, BANDS, INK = "#0072b2", ("#f2f2ee", "#e6e6e0"), "#333"


def main(log: Path, picture: Path) -> None:
    rows = [{"row": number, **json.loads(line)} for number, line in enumerate(log.read_text().splitlines(), 1)]
    last = len(rows)
    height = TOP + len(PANELS) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 10} {height}"',
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="white"/><g fill="{INK}">',
    ]
    for number, (name, title) in enumerate(PANELS.items()):
        top = TOP + number * (HEIGHT + GAP)
        parts += bands(rows, last, top, named=number == 0)
        parts.append(f'<text x="{LEFT}" y="{top - 5}" font-weight="bold">{title}</text>')
        parts += curve(rows, name, last, top)
    parts += [f'<text x="{LEFT + WIDTH}" y="{height - 8}" text-anchor="end">{LOG_EVERY * last:,} steps</text>', "</g></svg>"]
    picture.write_text("\n".join(parts) + "\n")


def bands(rows: list[dict], last: int, top: int, *, named: bool) -> list[str]:
    """The stages behind a panel."""
    parts, begin = [], 0
    for number, (stage, part) in enumerate(groupby(rows, key=lambda row: row["stage"])):
        end = begin + len(list(part))
        x, width = LEFT + WIDTH * begin / last, WIDTH * (end - begin) / last
        parts.append(f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT}" fill="{BANDS[number % 2]}"/>')
        if named and width > LETTER * len(stage):
            parts.append(f'<text x="{x + width / 2:.1f}" y="{top - 20}" text-anchor="middle" fill="#888">{stage}</text>')
        begin = end
    return parts


def curve(rows: list[dict], name: str, last: int, top: int) -> list[str]:
    """One quantity, a line for every stage that has it; the scale starts at nought."""
    values = sorted(row[name] for row in rows if name in row)
    if not values:
        return []
    percent = name == "J"
    high = 1.0 if percent else values[int(0.98 * (len(values) - 1))] or 1.0
    parts = []
    for _, stage in groupby(rows, key=lambda row: row["stage"]):
        places = " ".join(
            f"{LEFT + WIDTH * row['row'] / last:.1f},{top + HEIGHT * (1 - min(1, row[name] / high)):.1f}"
            for row in stage
            if name in row
        )
        if places:
            parts.append(f'<polyline points="{places}" fill="none" stroke="{LINE}" stroke-width="1.3"/>')
    label = "100" if percent else f"{high:.2g}"
    parts.append(f'<text x="{LEFT - 5}" y="{top + 9}" text-anchor="end">{label}</text>')
    parts.append(f'<text x="{LEFT - 5}" y="{top + HEIGHT}" text-anchor="end">0</text>')
    return parts


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
