"""A report as one HTML page to send to people: no other file, no network, light and dark, wide and narrow.

Everything that is not ours (sentences, names) is escaped, and a content security policy forbids the page to load
anything and to run any script but its own.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median

from virst_cli.bench.page_examples import Example
from virst_cli.bench.page_tables import bar, published_table, score_table, video_table
from virst_cli.bench.report import Report
from virst_cli.bench.scores import ExpressionScore, Scores
from virst_cli.bench.table import facts, who
from virst_cli.errors import OutputError
from virst_cli.files.atomic import write_text, writing
from virst_cli.files.shown import shown
from virst_cli.version import __version__

STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")
BINS = 20  # of the distribution: 5 points each
KINDS = {"best": "Best", "around the median": "Around the median", "worst": "Worst"}


def check_page(path: Path) -> None:
    """Raises `OutputError` where a page can't be written: before hours of work, not after."""
    if path.exists():
        raise OutputError(f"{shown(path)} is there already; remove it, or choose another name")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(path.parent)} is no folder; make it, or choose another one for --report")


def write_page(report: Report, path: Path, examples: Mapping[str, Sequence[Example]]) -> None:
    """Writes the page, in one step. examples: as `Examples.chosen` gives them. Raises `OutputError` or `DiskFull`."""
    check_page(path)
    text = page(report, examples)
    with writing(path):
        write_text(path, text)


def page(report: Report, examples: Mapping[str, Sequence[Example]]) -> str:
    """The page as HTML."""
    style, script = STYLE.read_text(encoding="utf-8"), SCRIPT.read_text(encoding="utf-8")
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{own}'"
    title = escape(f"{who(report)} on {report.dataset}")
    tables = score_table(report), published_table(report), _pictures(examples), video_table(report)
    parts = [_top(report), _warning(report), *tables, _names(report)]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="virst {__version__}">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
<header>
<h1><bdi>{escape(who(report))}</bdi> on {escape(report.dataset)}</h1>
<p class="soft">{escape(facts(report))}</p>
</header>
{"".join(parts)}
<footer>J is how well the masks overlap the true ones, F how well their outlines agree, J&amp;F the mean of both: in percent,
averaged over the frames of a video, then over sentences; 100 is perfect. Made by virst {__version__}.</footer>
</main>
<script>{script}</script>
</body>
</html>
"""


def _top(report: Report) -> str:
    """The result at a glance, beside the distribution."""
    if report.scores is None:
        return '<p class="card warn">There is no score: only a server has the true masks of this data set.</p>'
    return f'<div class="top">{_score(report.scores)}{_spread(report.rows)}</div>'


def _score(scores: Scores) -> str:
    lines = [f"<dt>{key}</dt><dd>{bar(scores[key])}</dd><dd>{scores[key]:.1f}</dd>" for key in ("J", "F")]
    return (
        f'<section class="card score"><span class="label">J&amp;F</span><span class="all">{scores["J&F"]:.1f}</span>'
        f"<dl>{''.join(lines)}</dl></section>"
    )


def _spread(rows: Sequence[ExpressionScore]) -> str:
    """How many sentences got which J&F, as a histogram."""
    scores = [50 * (row.j + row.f) for row in rows]
    counts = [0] * BINS
    for score in scores:
        counts[min(BINS - 1, int(score * BINS / 100))] += 1
    wide, tallest = 100 / BINS, max(counts)
    bars = []
    for number, count in enumerate(counts):
        tall = 72 * count / tallest  # percent of the picture; the rest is for what stands above and below
        said = f"{number * wide:.0f} to {(number + 1) * wide:.0f}: {_sentences(count)}"
        bars.append(
            f'<g><title>{said}</title><rect x="{number * wide + 0.35:.2f}%" y="{86 - tall:.2f}%" '
            f'width="{wide - 0.7:.2f}%" height="{tall:.2f}%" rx="2"/></g>'
        )
    middle = median(scores)
    anchor = "start" if middle < 12 else "end" if middle > 88 else "middle"
    ticks = [(0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end")]
    numbers = [f'<text x="{at}%" y="99%" text-anchor="{side}">{at}</text>' for at, side in ticks]
    return (
        '<section class="card spread"><span class="soft small">J&amp;F of each sentence</span>'
        f'<svg width="100%" height="210" role="img" aria-label="Distribution of J&amp;F over {_sentences(len(scores))}; '
        f'the median is {middle:.1f}"><g class="bars">{"".join(bars)}</g>'
        f'<line class="base" x1="0" x2="100%" y1="86.3%" y2="86.3%"/>'
        f'<line class="mark" x1="{middle:.2f}%" x2="{middle:.2f}%" y1="9%" y2="86%"/>'
        f'<text class="strong" x="{middle:.2f}%" y="6%" text-anchor="{anchor}">median {middle:.1f}</text>'
        f"{''.join(numbers)}</svg></section>"
    )


def _sentences(count: int) -> str:
    return f"{count} sentence{'' if count == 1 else 's'}"


def _warning(report: Report) -> str:
    if not report.missing:
        return ""
    return f'<p class="warn">{len(report.missing)} videos, expressions or frames are missing; they count as 0.</p>'


def _pictures(examples: Mapping[str, Sequence[Example]]) -> str:
    """The examples, each with a row of answers above a row of truths; on a phone with a column of each."""
    if not examples:
        return ""
    said = '<p class="soft"><span class="key">answer</span><span class="key truth">truth</span></p>'
    kinds = [f"<h3>{KINDS[kind]}</h3>{''.join(_example(example) for example in group)}" for kind, group in examples.items()]
    return f"<section><h2>Answers</h2>{said}{''.join(kinds)}</section>"


def _example(example: Example) -> str:
    row = example.row
    where = " · ".join(filter(None, (f"{row.video}, expression {row.expression}", row.type)))
    figures = []
    for shot in example.shots:
        answer, truth = shot.pictures()
        figures.append(_figure("answer", "answer" if shot.answer is not None else "no answer", answer, shot.frame))
        figures.append(_figure("truth", "truth", truth, shot.frame))
    return (
        f'<article class="card example"><header><p class="said" dir="auto">{escape(example.text)}</p>'
        f'<p class="got"><b>{example.both:.1f}</b> <span class="soft small">J {100 * row.j:.1f} · F {100 * row.f:.1f}</span></p>'
        f'<p class="where soft small"><bdi>{escape(where)}</bdi></p></header>'
        f'<div class="shots">{"".join(figures)}</div></article>'
    )


def _figure(kind: str, said: str, jpeg: bytes, frame: str) -> str:
    data = base64.b64encode(jpeg).decode()
    alt = escape(f"{said} in frame {frame}")
    return f'<figure class="{kind}"><img alt="{alt}" src="data:image/jpeg;base64,{data}"><figcaption>{said}</figcaption></figure>'


def _names(report: Report) -> str:
    """What is missing, and what was left out, in full."""
    lists = [("Missing, counted as 0", report.missing), ("Of no frame, left out", report.extra)]
    return "".join(
        f'<details class="card"><summary>{title}: {len(names)}</summary><ul>{_items(names)}</ul></details>'
        for title, names in lists
        if names
    )


def _items(names: Iterable[str]) -> str:
    return "".join(f"<li><bdi>{escape(name)}</bdi></li>" for name in names)
