"""The tables of a report for a terminal, as rich tables that the command prints."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from virst_cli.bench.published_scores import ALL
from virst_cli.bench.report import Report
from virst_cli.bench.report_tables import (
    OURS,
    PLAIN,
    TOTAL,
    ReportTable,
    figure_text,
    model_name,
    published_table,
    score_table,
    summary_line,
    video_table,
)

LISTED = 20  # names of missing files that are shown; --json has all of them
WORST = 10  # videos that are shown; --json has all of them
SHORT_GROUPS = {"referring": "ref.", "reasoning": "reas.", "overall": "all"}
COLUMNS = [(ALL, key) for key in ("J", "F", "J&F")]  # in the order of the published tables
REVOS_COLUMNS = [(group, key) for group in SHORT_GROUPS for key in ("J", "F", "J&F")] + [("overall", "R")]


def text_tables(report: Report) -> list[Table]:
    """The scores, published figures, the videos with the lowest scores, and what is missing or extra, as far as there is any."""
    tables = [_scores(report), _published(report), _videos(report)]
    if report.missing:
        tables.append(_names(f"missing: {len(report.missing)}, counted as 0", report.missing))
    if report.extra:
        tables.append(_names(f"extra: {len(report.extra)}, not used", report.extra))
    return [table for table in tables if table is not None]


def _scores(report: Report) -> Table:
    content = score_table(report)
    table = Table(title=Text(f"{report.dataset}, {model_name(report)}"), caption=Text(summary_line(report)))
    plain = len(content.headings) - len(report.baselines)
    _add_columns(table, ["", *content.headings[1:plain], *(f"J&F of {name}" for name in content.headings[plain:])])
    for row in content.rows:
        table.add_row(*map(Text, (row.name, *map(figure_text, row.cells))))
        if row.kind == TOTAL:
            table.add_section()
    return table


def _published(report: Report) -> Table | None:
    """The published systems, then this run in bold; narrow enough for 80 columns."""
    columns = REVOS_COLUMNS if report.groups else COLUMNS
    headings = [key if group == ALL else f"{SHORT_GROUPS[group]}\n{key}" for group, key in columns]
    content = published_table(report, columns, headings)
    if content is None:
        return None
    marks = _footnote_marks(content)
    notes = [f"{mark} {note}" for note, mark in marks.items()] + [content.note] * bool(content.note)
    title = "copied from VIRST's project page (CVPR 2026)"
    table = Table(title=title, caption=Text("\n".join(notes)), box=SIMPLE_HEAD, show_edge=False, padding=0)
    _add_columns(table, content.headings, words=2)
    for kind in (PLAIN, OURS):
        for row in (row for row in content.rows if row.kind == kind):
            name = row.name + (marks[row.note] if row.note else "")
            table.add_row(*(Text(cell, style="bold" if kind == OURS else "") for cell in (name, *map(figure_text, row.cells))))
        table.add_section()
    return table


def _footnote_marks(content: ReportTable) -> dict[str, str]:
    """A mark for every note: one asterisk for the first, two for the second ..."""
    notes = [row.note for row in content.rows if row.note]
    return {note: "*" * number for number, note in enumerate(notes, start=1)}


def _videos(report: Report) -> Table | None:
    content = video_table(report)
    if content is None:
        return None
    worst = content.rows[:WORST]
    table = Table(title=f"the videos with the lowest J&F, {len(worst)} of {len(content.rows)}")
    _add_columns(table, [*content.headings[:-1], "n"])
    for row in worst:
        table.add_row(*map(Text, (row.name, *map(figure_text, row.cells))))
    return table


def _add_columns(table: Table, headings: Sequence[str], words: int = 1) -> None:
    """Adds columns; the first ones hold words, as many as `words` says, and the others numbers."""
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < words else "right", no_wrap=words > 1 and number >= words)


def _names(title: str, names: Sequence[str]) -> Table:
    """A list of names, cut where it gets long."""
    table = Table(title=title)
    table.add_column("name")
    for name in names[:LISTED]:
        table.add_row(Text(name))
    if len(names) > LISTED:
        table.add_row(f"and {len(names) - LISTED} more; --json lists them all")
    return table
