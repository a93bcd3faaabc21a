"""The tables say what the report says."""

import io
from pathlib import Path

from rich.console import Console

from tests.bench import layouts
from tests.bench.layouts import VIDEOS
from tests.bench.models import Bright, Oracle, Silent
from virst_cli.bench import Report, open_dataset, run_benchmark
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.scores import ExpressionScore
from virst_cli.bench.text_tables import text_tables


def printed(report: Report, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in text_tables(report):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def line(text: str, start: str) -> list[str]:
    """The words of the only line that begins with `start`, without the table's lines."""
    (found,) = [line for line in text.splitlines() if line.strip("│┃ ").startswith(start)]
    return found.replace("│", " ").replace("┃", " ").split()


def test_every_type_and_baseline_has_its_place() -> None:
    world = WorldSet(videos=3, frames=8, size=(64, 64))
    report = run_benchmark(world, Oracle(world), name="oracle")
    text = printed(report)
    for expected in ("world, oracle", "J&F of largest object", "J&F of shuffled sentence", "100.0", "3 videos"):
        assert expected in text
    for row in report.expression_scores:
        assert str(row.type) in text
    assert "missing" not in text
    assert "copied" not in text  # nobody else has figures of this world


def test_names_are_shown_as_they_are_and_long_lists_of_missing_things_are_cut() -> None:
    rows = [ExpressionScore("v", "0", "[bold]odd", 0.25, 0.75, empty=False)]
    text = printed(Report("world", None, rows, [f"[red]{i}" for i in range(30)], 1, None, None, extra=["[blue]"]))
    for expected in ("world, predictions", "[bold]odd", "[red]19", "missing: 30", "10 more", "50.0", "extra: 1", "[blue]"):
        assert expected in text
    assert "[red]20" not in text


def test_a_shard_without_a_type_leaves_a_dash() -> None:
    world = WorldSet(videos=1, frames=8, size=(64, 64))
    report = run_benchmark(world, Silent(), name="silent")
    assert " - " not in printed(report)
    half = Report(report.dataset, None, report.expression_scores, [], 1, 2.0, 2**30, {"largest_object": []})
    assert " - " in printed(half)


def test_revos_stands_beside_the_published_figures_with_its_groups_and_r_of_their_scale(tmp_path: Path) -> None:
    dataset = open_dataset("revos", layouts.revos(tmp_path))
    report = run_benchmark(dataset, Bright(), name="bright")
    text = printed(report)
    overall, referring, reasoning = (report.groups[name] or {} for name in ("overall", "referring", "reasoning"))
    figures = [f"{group[key]:.1f}" for group in (referring, reasoning, overall) for key in ("J", "F", "J&F")]
    assert line(text, "bright ") == ["bright", "this", "run", *figures, f"{overall['R_255']:.1f}"]
    assert line(text, "VIRST ")[-2:] == ["68.4", "21.8"]
    assert line(text, "ViLLa-6B ") == ["ViLLa-6B", "ICCV", "2025", *"------", "54.9", "59.1", "57.0", "-"]
    assert line(text, "LMPM*")[3] == "29.0"
    assert "* as printed, though" in text
    assert line(printed(report, width=80), "VIRST ") == line(text, "VIRST ")  # no figure is cut on a narrow terminal
    shown = [f"{overall[key]:.1f}" for key in ("J&F", "J", "F", "A", "R_255", "R_binary")]
    assert line(text, "overall ") == ["overall", *shown, "4"]


def test_both_protocols_of_davis_are_shown(tmp_path: Path) -> None:
    dataset = open_dataset("ref-davis17", layouts.davis(tmp_path))
    text = printed(run_benchmark(dataset, Oracle(dataset), name="oracle"))
    for protocol in ("per expression", "standard"):
        assert line(text, protocol) == [*protocol.split(), "100.0", "100.0", "100.0", "16"]
        assert line(text, f"oracle, {protocol}")[-4:] == ["run", "100.0", "100.0", "100.0"]
    assert line(text, "SAMWISE*") == ["SAMWISE*", "CVPR", "2025", "67.4", "74.5", "70.6"]


def test_the_worst_videos_are_shown_and_the_splits_of_mevis_are_not_mixed_up(tmp_path: Path) -> None:
    dataset = open_dataset("mevis", layouts.mevis(tmp_path))
    report = run_benchmark(dataset, Silent(), name="silent")
    text = printed(report)
    for video in VIDEOS:
        assert line(text, video)[-1] == "3"
    assert "this run is on those with public masks" in " ".join(text.split())


def test_a_set_that_only_a_server_scores_says_what_to_do(tmp_path: Path) -> None:
    dataset = open_dataset("mevis-test", layouts.mevis(tmp_path, "valid"))
    text = printed(run_benchmark(dataset, Silent(), name="silent"))
    assert line(text, "all ") == ["all", "-", "-", "-", "6"]
    assert "--submission" in text
