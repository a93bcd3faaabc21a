"""The tables say what the report says."""

import io

from rich.console import Console

from tests.bench.models import Oracle, Silent
from virst_cli.bench import Report, run
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.scores import Row
from virst_cli.bench.table import tables


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=160)
    for table in tables(report):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_type_and_baseline_has_its_place() -> None:
    world = WorldSet(videos=3, frames=8, size=(64, 64))
    report = run(world, Oracle(world), name="oracle")
    text = printed(report)
    for expected in ("world, oracle", "J&F of largest object", "J&F of shuffled sentence", "100.0", "3 videos"):
        assert expected in text
    for row in report.rows:
        assert str(row.type) in text
    assert "missing" not in text


def test_names_are_shown_as_they_are_and_long_lists_of_missing_things_are_cut() -> None:
    rows = [Row("v", "0", "[bold]odd", 0.25, 0.75, empty=False)]
    text = printed(Report("mevis", None, rows, [f"[red]{i}" for i in range(30)], 1, None, None))
    for expected in ("masks from elsewhere", "[bold]odd", "[red]19", "missing: 30", "10 more", "50.0"):
        assert expected in text
    assert "[red]20" not in text


def test_a_shard_without_a_type_leaves_a_dash() -> None:
    world = WorldSet(videos=1, frames=8, size=(64, 64))
    report = run(world, Silent(), name="silent")
    assert " - " not in printed(report)
    half = Report(report.dataset, None, report.rows, [], 1, 2.0, 2**30, {"largest_object": []})
    assert " - " in printed(half)
