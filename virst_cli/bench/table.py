"""A report as rich tables, for people; the commands print them."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from virst_cli.bench.report import Report, answered_empty
from virst_cli.bench.samples import NOTHING
from virst_cli.bench.scores import Row, by_type, means

LISTED = 20  # missing names in full; more of them say no more, and --json has them all


def tables(report: Report) -> list[Table]:
    """The scores, by type where there are types and next to the baselines where there are any; then what is missing."""
    shown = [_scores(report)]
    if report.missing:
        shown.append(_missing(report.missing))
    return shown


def _scores(report: Report) -> Table:
    title = Text(f"{report.dataset}, {report.model or 'masks from elsewhere'}")
    table = Table(title=title, caption=Text(_caption(report)))
    table.add_column("")
    for heading in ("J&F", "J", "F", "n", *(f"J&F of {name.replace('_', ' ')}" for name in report.baselines)):
        table.add_column(heading, justify="right")
    table.add_row(*_line("all", report.rows, list(report.baselines.values())))
    types = by_type(report.rows)
    if types:
        table.add_section()
    others = [by_type(rows) for rows in report.baselines.values()]
    for name, rows in types.items():
        table.add_row(*_line(name, rows, [other.get(name, []) for other in others]))
    return table


def _line(name: str, rows: Sequence[Row], baselines: Sequence[Sequence[Row]]) -> list[Text]:
    scores = means(rows)
    numbers = [f"{scores[key]:.1f}" for key in ("J&F", "J", "F")]
    beside = [f"{means(other)['J&F']:.1f}" if other else "-" for other in baselines]
    return [Text(cell) for cell in (name, *numbers, str(len(rows)), *beside)]


def _caption(report: Report) -> str:
    """Everything but the scores, in one line."""
    said = [f"{report.videos} videos", f"{len(report.rows)} expressions"]
    if report.fps is not None:
        said.append(f"{report.fps:.1f} frames/s")
    if report.peak_memory is not None:
        said.append(f"peak memory {report.peak_memory / 2**30:.1f} GiB")
    shares = answered_empty(report.rows)
    if shares[NOTHING] is not None and shares["others"] is not None:
        said.append(f"empty answers: {shares[NOTHING]:.0f}% where nothing fits, {shares['others']:.0f}% elsewhere")
    return ", ".join(said)


def _missing(names: Sequence[str]) -> Table:
    table = Table(title=f"missing: {len(names)}, counted as 0")
    table.add_column("name")
    for name in names[:LISTED]:
        table.add_row(Text(name))
    if len(names) > LISTED:
        table.add_row(f"and {len(names) - LISTED} more; --json lists them all")
    return table
