"""A report as one HTML page that can be sent to people: no other files, no network, light and dark, wide and narrow.

The template page.html.j2 escapes everything that is not our own (sentences, names), and a content security policy forbids the
page to load anything and to run any script but its own.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from virst_cli.bench.page_examples import Example
from virst_cli.bench.published_scores import ALL
from virst_cli.bench.report import Report
from virst_cli.bench.report_tables import (
    MEASURES,
    OURS,
    TOTAL,
    ReportTable,
    Row,
    figure_text,
    model_name,
    published_table,
    score_table,
    summary_line,
    video_table,
)
from virst_cli.bench.scores import ExpressionScore
from virst_cli.errors import OutputError
from virst_cli.files.atomic import write_text, writing
from virst_cli.files.shown import shown
from virst_cli.version import __version__

HERE = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = "page.html.j2", HERE / "page.css", HERE / "page.js"
BINS = 20  # of the histogram: 5 points each
BAR_HEIGHT = 72  # percent of the histogram's height for its tallest bar; the rest is for the labels above and below
BASE_LINE = 86  # percent of its height, from the top
GAP = 0.7  # percent of its width between two bars
COLUMNS = [(ALL, key) for key in MEASURES]  # published figures; J&F first, by which rows are in order
REVOS_COLUMNS = [("overall", key) for key in (*MEASURES, "R")] + [
    (group, key) for group in ("referring", "reasoning") for key in MEASURES
]
BASELINE_NOTE = (
    "The last columns are the J&F of answers that ignore the sentence; a model that does not beat them has not read it."
)


@dataclass(frozen=True)
class Section:
    """A table as the page shows it.

    totals: rows that stay on top, however the others are sorted.
    bars: draw a bar for each row's J&F.
    long: the table scrolls in a box of its own.
    """

    title: str
    note: str
    headings: Sequence[str]
    totals: Sequence[Row]
    parts: Sequence[Row]
    bars: bool = False
    long: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar of the histogram; sizes and positions in percent of its width and height."""

    title: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Histogram:
    """How many sentences got which J&F. median_anchor: how SVG aligns the median's label, so that it stays inside."""

    sentences: str
    bars: Sequence[Bar]
    median: float
    median_anchor: str


def check_page(path: Path) -> None:
    """Raises `OutputError` where a page can't be written; called before the work."""
    if path.exists():
        raise OutputError(f"{shown(path)} exists already; delete it, or choose another name for --report")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(path.parent)} is not a folder; create it, or choose another one for --report")


def write_page(report: Report, path: Path, examples: Mapping[str, Sequence[Example]]) -> None:
    """Writes the page of a report in one step.

    examples: pictures by kind, from `Examples.chosen`.

    Raises `OutputError` or `DiskFull`.
    """
    check_page(path)
    text = page(report, examples)
    with writing(path):
        write_text(path, text)


def page(report: Report, examples: Mapping[str, Sequence[Example]]) -> str:
    """The page of a report as HTML; `examples` as in `write_page`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only those who want a page wait for it

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = STYLE.read_text(encoding="utf-8"), SCRIPT.read_text(encoding="utf-8")
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    before, after = [_scores(report), _published(report)], [_videos(report)]
    return environment.get_template(TEMPLATE).render(
        report=report,
        scores=report.scores,
        name=model_name(report),
        summary=summary_line(report),
        histogram=_histogram(report.expression_scores) if report.scores else None,
        tables_before=[section for section in before if section],
        examples=[(kind.capitalize(), [_example(example) for example in group]) for kind, group in examples.items()],
        tables_after=[section for section in after if section],
        figure_text=figure_text,
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{checksum}'",
        style=style,
        script=script,
        version=__version__,
    )


def _scores(report: Report) -> Section:
    return _section("Scores", score_table(report), BASELINE_NOTE if report.baselines else "", bars=True)


def _published(report: Report) -> Section | None:
    """This run among the published systems, the best first; without systems that have figures for other data sets only."""
    columns = REVOS_COLUMNS if report.groups else COLUMNS
    headings = [key if group == ALL or key == "R" else f"{group} {key}" for group, key in columns]
    table = published_table(report, columns, headings)
    if table is None:
        return None
    known = [row for row in table.rows if row.kind == OURS or any(cell is not None for cell in row.cells[1:])]
    rows = sorted(known, key=lambda row: -1.0 if row.percent is None else row.percent, reverse=True)
    notes = [f"{row.name}: {row.note}." for row in table.rows if row.note and row in known]
    note = " ".join(filter(None, ["Copied from VIRST's project page.", *notes, table.note]))
    return _section("Beside published figures", ReportTable(table.headings, rows), note)


def _videos(report: Report) -> Section | None:
    table = video_table(report)
    return None if table is None else _section("Videos", table, "The lowest scores first.", bars=True, long=True)


def _section(title: str, table: ReportTable, note: str, *, bars: bool = False, long: bool = False) -> Section:
    totals = [row for row in table.rows if row.kind == TOTAL]
    parts = [row for row in table.rows if row.kind != TOTAL]
    return Section(title, note, table.headings, totals, parts, bars, long)


def _histogram(scores: Sequence[ExpressionScore]) -> Histogram:
    percents = [score.percent for score in scores]
    counts = [0] * BINS
    for percent in percents:
        counts[min(BINS - 1, int(percent * BINS / 100))] += 1
    width = 100 / BINS
    bars = []
    for number, count in enumerate(counts):
        height = BAR_HEIGHT * count / max(counts)
        title = f"{number * width:.0f} to {(number + 1) * width:.0f}: {_sentences(count)}"
        bars.append(Bar(title, number * width + GAP / 2, BASE_LINE - height, width - GAP, height))
    middle = median(percents)
    anchor = "start" if middle < 12 else "end" if middle > 88 else "middle"
    return Histogram(_sentences(len(scores)), bars, middle, anchor)


def _sentences(count: int) -> str:
    return f"{count} sentence{'' if count == 1 else 's'}"


def _example(example: Example) -> dict[str, Any]:
    """What the template shows of an example: every frame with the answer, followed by the same frame with the truth."""
    score = example.score
    figures = []
    for shot in example.shots:
        answer, truth = shot.pictures()
        caption = "answer" if shot.answer is not None else "no answer"
        for kind, text, jpeg in (("answer", caption, answer), ("truth", "truth", truth)):
            figures.append({"kind": kind, "caption": text, "frame": shot.frame, "jpeg": base64.b64encode(jpeg).decode()})
    where = " · ".join(filter(None, (f"{score.video}, expression {score.expression}", score.type)))
    return {"text": example.text, "score": score, "where": where, "figures": figures}
