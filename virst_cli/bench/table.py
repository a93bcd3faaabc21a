"""A report as rich tables, for people; the commands print them."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from virst_cli.bench.published_scores import ALL, Figures, System, published
from virst_cli.bench.report import Report, answered_empty
from virst_cli.bench.samples import NOTHING
from virst_cli.bench.scores import ExpressionScore, Scores, by_type, by_video, means

LISTED = 20  # names in full; more of them say no more, and --json has them all
WORST = 10  # videos shown, for the same reason
HEADINGS = {"A": "A", "R_255": "R (of 255)", "R_binary": "R"}  # of what ReVOS measures beside J and F
SHORT = {"referring": "ref.", "reasoning": "reas.", "overall": "all"}
ONE_GROUP = [(ALL, key) for key in ("J", "F", "J&F")]
REVOS_GROUPS = [(group, key) for group in ("referring", "reasoning", "overall") for key in ("J", "F", "J&F")] + [("overall", "R")]


def tables(report: Report) -> list[Table]:
    """The scores, beside baselines and published figures where there are any; the worst videos; what is missing or too much."""
    shown = [_scores(report)]
    if others := published(report.dataset):
        shown.append(_beside(report, others))
    if report.videos > 1 and report.rows:
        shown.append(_videos(report.rows))
    if report.missing:
        shown.append(_names(f"missing: {len(report.missing)}, counted as 0", report.missing))
    if report.extra:
        shown.append(_names(f"extra: {len(report.extra)}, of no frame", report.extra))
    return shown


def _scores(report: Report) -> Table:
    table = Table(title=Text(f"{report.dataset}, {who(report)}"), caption=Text(facts(report)))
    more = [key for key in HEADINGS if report.rows and key in report.rows[0].more]
    table.add_column("")
    baselines = [f"J&F of {name.replace('_', ' ')}" for name in report.baselines]
    for heading in ("J&F", "J", "F", *(HEADINGS[key] for key in more), "n", *baselines):
        table.add_column(heading, justify="right")
    others = [{"all": list(rows), **by_type(rows)} for rows in report.baselines.values()]
    for name, scores, count in lines(report):
        numbers = [_number(scores, key) for key in ("J&F", "J", "F", *more)]
        beside = [_number(means(other[name]) if other.get(name) else None, "J&F") for other in others]
        table.add_row(*map(Text, (name, *numbers, str(count), *beside)))
        if name == "all":
            table.add_section()
    return table


def lines(report: Report) -> list[tuple[str, Scores | None, int]]:
    """What the table has a line for: its name, scores and number of results."""
    types = {name: len(rows) for name, rows in by_type(report.rows).items()}
    if report.groups:
        counts = {**types, "overall": sum(types.get(name, 0) for name in report.groups)}
        return [(name, scores, counts.get(name, 0)) for name, scores in report.groups.items()]
    if report.protocols:
        counts = {"per_expression": len(report.rows), "standard": len(report.standard)}
        return [(name.replace("_", " "), scores, counts[name]) for name, scores in report.protocols.items()]
    typed = [(name, means(rows), len(rows)) for name, rows in by_type(report.rows).items()]
    return [("all", report.scores, len(report.rows) + report.hidden), *typed]


def _beside(report: Report, others: Sequence[System]) -> Table:
    """Ours in bold among the published systems, with the columns that both have."""
    notes = {other.note: "*" * (i + 1) for i, other in enumerate(o for o in others if o.note)}
    said = [f"{mark} {note}" for note, mark in notes.items()]
    if report.dataset == "mevis":
        said.append("Published for the validation videos of the server; these are the ones with public masks.")
    title, caption = "copied from VIRST's project page (CVPR 2026)", Text("\n".join(said))
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, show_edge=False, padding=0)  # fits 80 columns
    columns = REVOS_GROUPS if report.groups else ONE_GROUP
    for heading in ("model", "venue"):
        table.add_column(heading)
    for group, key in columns:
        table.add_column(key if group == ALL else f"{SHORT[group]}\n{key}", justify="right", no_wrap=True)
    for other in others:
        numbers = [_number(other.figures[group], key) for group, key in columns]
        table.add_row(*map(Text, (other.model + notes.get(other.note, ""), other.venue, *numbers)))
    table.add_section()
    for name, groups in ours(report):
        numbers = [_number(groups.get(group), "R_255" if key == "R" else key) for group, key in columns]
        table.add_row(*(Text(cell, style="bold") for cell in (name, "this run", *numbers)))
    return table


def ours(report: Report) -> list[tuple[str, dict[str, Scores | None]]]:
    """Our lines among the published ones: the model's name, and its scores by group."""
    if report.groups:
        return [(who(report), report.groups)]
    if report.protocols:
        return [(f"{who(report)}, {name.replace('_', ' ')}", {ALL: scores}) for name, scores in report.protocols.items()]
    return [(who(report), {ALL: report.scores})]


def _videos(rows: Sequence[ExpressionScore]) -> Table:
    found = {video: (means(of_it), len(of_it)) for video, of_it in by_video(rows).items()}
    worst = sorted(found.items(), key=lambda item: item[1][0]["J&F"])[:WORST]
    table = Table(title=f"the videos with the lowest J&F, {len(worst)} of {len(found)}")
    table.add_column("video")
    for heading in ("J&F", "J", "F", "n"):
        table.add_column(heading, justify="right")
    for video, (scores, count) in worst:
        table.add_row(*map(Text, (video, *(_number(scores, key) for key in ("J&F", "J", "F")), str(count))))
    return table


def _names(title: str, names: Sequence[str]) -> Table:
    table = Table(title=title)
    table.add_column("name")
    for name in names[:LISTED]:
        table.add_row(Text(name))
    if len(names) > LISTED:
        table.add_row(f"and {len(names) - LISTED} more; --json lists them all")
    return table


def facts(report: Report) -> str:
    """Everything but the scores, in one line."""
    said = [f"{report.videos} videos", f"{len(report.rows) + report.hidden} expressions"]
    if report.hidden:
        said.append("scored by a server only: --submission FILE.zip writes what it takes")
    if report.fps is not None:
        said.append(f"{report.fps:.1f} frames/s")
    if report.peak_memory is not None:
        said.append(f"peak memory {report.peak_memory / 2**30:.1f} GiB")
    shares = answered_empty(report.rows)
    if shares[NOTHING] is not None and shares["others"] is not None:
        said.append(f"empty answers: {shares[NOTHING]:.0f}% where nothing fits, {shares['others']:.0f}% elsewhere")
    return ", ".join(said)


def who(report: Report) -> str:
    """Whose masks they are."""
    return report.model or "masks from elsewhere"


def _number(scores: Scores | Figures | None, key: str) -> str:
    value = None if scores is None else scores.get(key)
    return "-" if value is None else f"{value:.1f}"
