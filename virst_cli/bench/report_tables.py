"""The tables of a report as plain rows, ready to be rendered for a terminal (text_tables.py) or a web page (page.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virst_cli.bench.published_scores import ALL, published_systems
from virst_cli.bench.report import Report, answered_empty
from virst_cli.bench.samples import NOTHING
from virst_cli.bench.scores import Scores, by_type, by_video, means

Cell = str | float | int | None  # a word, a score x 100, a count, or an unknown figure
Column = tuple[str, str]  # group and measure of a published figure, such as ("overall", "J&F")

MEASURES = ("J&F", "J", "F")
REVOS_MEASURES = {"A": "A", "R_255": "R (of 255)", "R_binary": "R"}  # with their headings; ReVOS has them besides J and F
PLAIN, TOTAL, OURS = (
    "",
    "total",
    "ours",
)  # kinds of rows: the scores of a part, those of everything, those of this run among others


@dataclass(frozen=True)
class Row:
    """A row of a table.

    name: of what the row is about.
    cells: what follows the name, one for each further heading.
    percent: its J&F x 100, by which rows can be put in order; None if unknown.
    kind: `PLAIN`, `TOTAL` or `OURS`.
    note: a footnote on its figures.
    """

    name: str
    cells: Sequence[Cell]
    percent: float | None
    kind: str = PLAIN
    note: str | None = None


@dataclass(frozen=True)
class ReportTable:
    """Rows under headings, of which the first is that of the names. note: what has to be known about all rows."""

    headings: Sequence[str]
    rows: Sequence[Row]
    note: str = ""


def score_table(report: Report) -> ReportTable:
    """The scores of all sentences, then by type, group or protocol, with the J&F of the baselines in the last columns."""
    scores_of_all = report.expression_scores
    more = [key for key in REVOS_MEASURES if scores_of_all and key in scores_of_all[0].more]
    baselines = [{ALL: list(scores), **by_type(scores)} for scores in report.baselines.values()]
    rows = []
    for name, scores, count, kind in _parts(report):
        of_baselines = [means(baseline[name])["J&F"] if baseline.get(name) else None for baseline in baselines]
        cells = [*_figures(scores, (*MEASURES, *more)), count, *of_baselines]
        rows.append(Row(name, cells, _figure(scores, "J&F"), kind))
    names = [name.replace("_", " ") for name in report.baselines]
    return ReportTable(["sentences", *MEASURES, *(REVOS_MEASURES[key] for key in more), "n", *names], rows)


def published_table(report: Report, columns: Sequence[Column], headings: Sequence[str]) -> ReportTable | None:
    """The published systems in the order of their table, then this run; None for a data set without published figures.

    columns: the figures to show, in this order.
    headings: of these columns.
    """
    systems = published_systems(report.dataset)
    if not systems:
        return None
    group = columns[0][0] if columns[0][0] == ALL else "overall"
    rows = []
    for system in systems:
        figures = [_figure(system.figures[group], key) for group, key in columns]
        rows.append(Row(system.model, [system.venue, *figures], system.figures[group]["J&F"], note=system.note))
    for name, groups in _ours(report):
        figures = [_figure(groups.get(group), "R_255" if key == "R" else key) for group, key in columns]
        rows.append(Row(name, ["this run", *figures], _figure(groups.get(group), "J&F"), OURS))
    note = ""
    if report.dataset == "mevis":
        note = "Published for the validation videos of the server; this run is on those with public masks."
    return ReportTable(["model", "venue", *headings], rows, note)


def video_table(report: Report) -> ReportTable | None:
    """The scores of every video, the lowest first; None for a report on a single video or without scores."""
    if report.videos < 2 or not report.expression_scores:
        return None
    rows = []
    for video, scores in by_video(report.expression_scores).items():
        mean = means(scores)
        rows.append(Row(video, [*_figures(mean, MEASURES), len(scores)], mean["J&F"]))
    rows.sort(key=lambda row: row.percent or 0.0)
    return ReportTable(["video", *MEASURES, "sentences"], rows)


def summary_line(report: Report) -> str:
    """Everything but the scores, in one line."""
    parts = [f"{report.videos} videos", f"{len(report.expression_scores) + report.hidden} expressions"]
    if report.hidden:
        parts.append("scored only by the data set's server: --submission FILE.zip writes the file for it")
    if report.fps is not None:
        parts.append(f"{report.fps:.1f} frames/s")
    if report.peak_memory is not None:
        parts.append(f"peak memory {report.peak_memory / 2**30:.1f} GiB")
    shares = answered_empty(report.expression_scores)
    if shares[NOTHING] is not None and shares["others"] is not None:
        parts.append(f"empty answers: {shares[NOTHING]:.0f}% where nothing fits, {shares['others']:.0f}% elsewhere")
    return ", ".join(parts)


def model_name(report: Report) -> str:
    """The name of the model, or what stands for it where masks came from a folder."""
    return report.model or "predictions"


def figure_text(value: Cell) -> str:
    """A cell as text: scores with one decimal, and a dash for an unknown figure."""
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _parts(report: Report) -> list[tuple[str, Scores | None, int, str]]:
    """What the table of scores has a row for: name, scores, number of results, kind of row."""
    types = by_type(report.expression_scores)
    if report.groups:
        counts = {name: len(types.get(name, ())) for name in report.groups}
        counts["overall"] = sum(counts.values())
        return [(name, scores, counts[name], TOTAL if name == "overall" else PLAIN) for name, scores in report.groups.items()]
    if report.protocols:
        counts = {"per_expression": len(report.expression_scores), "standard": len(report.standard)}
        return [(name.replace("_", " "), scores, counts[name], PLAIN) for name, scores in report.protocols.items()]
    everything = (ALL, report.scores, len(report.expression_scores) + report.hidden, TOTAL)
    return [everything, *((name, means(scores), len(scores), PLAIN) for name, scores in types.items())]


def _ours(report: Report) -> list[tuple[str, dict[str, Scores | None]]]:
    """The rows of this run among published ones: a name, and scores by group."""
    name = model_name(report)
    if report.groups:
        return [(name, report.groups)]
    if report.protocols:
        return [(f"{name}, {protocol.replace('_', ' ')}", {ALL: scores}) for protocol, scores in report.protocols.items()]
    return [(name, {ALL: report.scores})]


def _figures(scores: Mapping[str, float] | None, keys: Sequence[str]) -> list[Cell]:
    return [_figure(scores, key) for key in keys]


def _figure(scores: Mapping[str, float] | Mapping[str, float | None] | None, key: str) -> float | None:
    return None if scores is None else scores.get(key)
