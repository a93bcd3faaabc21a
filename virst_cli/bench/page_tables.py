"""The tables of the page: the scores by type, beside published figures, by video. A heading that is clicked sorts its table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from virst_cli.bench.published_scores import ALL, published
from virst_cli.bench.report import Report
from virst_cli.bench.scores import by_type, by_video, means
from virst_cli.bench.table import HEADINGS, lines, ours

Cell = str | float | int | None  # a word, a score x 100, a count, or what nobody knows
THREE = ("J&F", "J", "F")
ONE_GROUP = tuple((ALL, key) for key in THREE)
OVERALL = tuple(("overall", key) for key in (*THREE, "R"))
REVOS_GROUPS = (*OVERALL, *((group, key) for group in ("referring", "reasoning") for key in THREE))
SUMS = ("all", "overall")  # names of lines that stand above whatever is sorted
PLAIN, SUM, OURS = "", "sum", "ours"


@dataclass(frozen=True)
class Line:
    """A line of a table. both: its J&F x 100, by which lines are put in order; kind: a sum, or ours among others'."""

    name: str
    cells: Sequence[Cell]
    both: float | None
    kind: str = PLAIN


def score_table(report: Report) -> str:
    """The scores of all sentences, and by type, group or protocol; beside baselines where there are any."""
    more = [key for key in HEADINGS if report.rows and key in report.rows[0].more]
    baselines = [{ALL: list(rows), **by_type(rows)} for rows in report.baselines.values()]
    found = []
    for name, scores, count in lines(report):
        beside = [means(other[name])["J&F"] if name in other else None for other in baselines]
        cells = [*_values(scores, [*THREE, *more]), count, *beside]
        found.append(Line(name, cells, _value(scores, "J&F"), SUM if name in SUMS else PLAIN))
    headings = ["sentences", *THREE, *(HEADINGS[key] for key in more), "n"]
    headings += [name.replace("_", " ") for name in report.baselines]
    said = (
        "The last columns are the J&F of answers that do without the sentence; a model that does not beat them has not read it."
    )
    return _section("Scores", said if baselines else "", headings, found, graphs=True)


def published_table(report: Report) -> str:
    """Ours among the published systems, the best first; nothing where none is published."""
    others = published(report.dataset)
    if not others:
        return ""
    columns = REVOS_GROUPS if report.groups else ONE_GROUP
    whole = columns[0][0]
    found = []
    for other in others:
        cells = [_value(other.figures[group], key) for group, key in columns]
        if any(cell is not None for cell in cells):  # some reported figures for other data sets only
            found.append(Line(other.model, [other.venue, *cells], other.figures[whole]["J&F"]))
    for name, groups in ours(report):
        cells = [_value(groups.get(group), "R_255" if key == "R" else key) for group, key in columns]
        found.append(Line(name, ["this run", *cells], _value(groups.get(whole), "J&F"), OURS))
    found.sort(key=lambda line: -1.0 if line.both is None else line.both, reverse=True)
    headings = ["model", "venue", *(key if group == ALL or key == "R" else f"{group} {key}" for group, key in columns)]
    said = ["Copied from VIRST's project page.", *(f"{other.model}: {other.note}." for other in others if other.note)]
    if report.dataset == "mevis":
        said.append("Published for the validation videos of the server; this run is on those with public masks.")
    return _section("Beside published figures", " ".join(said), headings, found)


def video_table(report: Report) -> str:
    """Every video, the hardest first; nothing where one is all."""
    if report.videos < 2 or not report.rows:
        return ""
    found = []
    for video, rows in by_video(report.rows).items():
        scores = means(rows)
        found.append(Line(video, [*_values(scores, THREE), len(rows)], scores["J&F"]))
    found.sort(key=lambda line: line.both or 0.0)
    return _section("Videos", "The hardest first.", ["video", *THREE, "sentences"], found, graphs=True, long=True)


def bar(score: float | None) -> str:
    """A bar as long as the score x 100 says; nothing where there is none."""
    if score is None:
        return ""
    return (
        '<svg class="bar" aria-hidden="true"><rect class="track" width="100%" height="100%" rx="3"/>'
        f'<rect class="value" width="{score:.1f}%" height="100%" rx="3"/></svg>'
    )


def _section(
    title: str, said: str, headings: Sequence[str], found: Sequence[Line], *, graphs: bool = False, long: bool = False
) -> str:
    """A table under its title. graphs: with a bar behind the first number; long: moves in a frame of its own."""
    kinds = ["name", *("word" if isinstance(cell, str) else "" for cell in found[0].cells)]
    head = [f'<th scope="col"{_class(kind)}>{escape(text)}</th>' for text, kind in zip(headings, kinds, strict=True)]
    if graphs:
        head.insert(2, '<td class="graph"></td>')
    sums = "".join(_line(line, graphs=graphs) for line in found if line.kind == SUM)
    rest = "".join(_line(line, graphs=graphs) for line in found if line.kind != SUM)
    bodies = (f"<tbody{_class(kind)}>{body}</tbody>" for kind, body in (("sum", sums), ("", rest)) if body)
    return (
        f'<section><h2>{escape(title)}</h2><p class="soft small">{escape(said)}</p>'
        f'<div class="card wide{" long" if long else ""}" role="region" aria-label="{escape(title)}" tabindex="0">'
        f"<table><thead><tr>{''.join(head)}</tr></thead>{''.join(bodies)}</table></div></section>"
    )


def _line(line: Line, *, graphs: bool) -> str:
    name = escape(line.name)
    cells = [f'<th scope="row" class="name" title="{name}"><bdi>{name}</bdi></th>', *map(_cell, line.cells)]
    if graphs:
        cells.insert(2, f'<td class="graph">{bar(line.both)}</td>')
    return f"<tr{_class('ours' if line.kind == OURS else '')}>{''.join(cells)}</tr>"


def _cell(value: Cell) -> str:
    if value is None:
        return "<td>-</td>"
    if isinstance(value, str):
        return f'<td class="word">{escape(value)}</td>'
    return f'<td data-value="{value}">{value if isinstance(value, int) else f"{value:.1f}"}</td>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _values(scores: Mapping[str, float] | None, keys: Sequence[str]) -> list[Cell]:
    return [_value(scores, key) for key in keys]


def _value(scores: Mapping[str, float] | Mapping[str, float | None] | None, key: str) -> float | None:
    return None if scores is None else scores.get(key)
