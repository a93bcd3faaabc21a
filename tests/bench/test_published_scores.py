"""The figures of other systems are as published, marked as copied, and shown only for data sets that they are for."""

import pytest

from virst_cli.bench import Report
from virst_cli.bench.datasets import OPENERS
from virst_cli.bench.published_scores import ALL, published_systems

FITTING = 0.16  # how far a printed J&F may be from the mean of the printed J and F, all rounded to 0.1


def test_every_set_of_the_tables_has_its_systems_with_virst_last() -> None:
    systems = {name: [system.model for system in published_systems(name)] for name in OPENERS}
    assert {name: len(found) for name, found in systems.items() if found} == {
        "mevis": 16,
        "mevis-test": 16,
        "ref-youtube-vos": 16,
        "ref-davis17": 16,
        "revos": 13,
    }
    for found in systems.values():
        assert found[-1:] in (["VIRST"], [])


@pytest.mark.parametrize(
    ("name", "group", "figures"),
    [
        ("mevis", ALL, {"J": 60.4, "F": 65.4, "J&F": 62.9}),
        ("ref-youtube-vos", ALL, {"J": 72.2, "F": 76.1, "J&F": 74.2}),
        ("ref-davis17", ALL, {"J": 75.9, "F": 83.1, "J&F": 79.5}),
        ("revos", "referring", {"J": 68.8, "F": 72.8, "J&F": 70.8}),
        ("revos", "overall", {"J": 66.3, "F": 70.6, "J&F": 68.4, "R": 21.8}),
    ],
)
def test_the_figures_of_virst(name: str, group: str, figures: dict[str, float]) -> None:
    assert published_systems(name)[-1].figures[group] == figures


@pytest.mark.parametrize("name", ["mevis", "ref-youtube-vos", "ref-davis17", "revos"])
def test_figures_fit_together_unless_a_note_says_so(name: str) -> None:
    for system in published_systems(name):
        for group, figures in system.figures.items():
            if figures["J"] is not None and figures["F"] is not None and figures["J&F"] is not None:
                off = abs((figures["J"] + figures["F"]) / 2 - figures["J&F"])
                assert off < FITTING or system.note, f"{system.model} {group} is off by {off}"


def test_the_shifted_row_is_put_right_and_says_how_it_was_printed() -> None:
    samwise = next(system for system in published_systems("mevis") if system.model == "SAMWISE")
    assert samwise.figures[ALL] == {"J": 46.6, "F": 52.4, "J&F": 49.5}
    assert samwise.note is not None
    assert "49.5 / 46.6 / 52.4" in samwise.note


def test_the_report_marks_them_as_copied() -> None:
    found = Report("ref-youtube-vos", "ours", [], [], 1, None, None, hidden=2).as_dict()["published"]
    assert {system["copied"] for system in found} == {True}
    assert next(system for system in found if system["model"] == "HyperSeg")["scores"] == {"J": None, "F": None, "J&F": 68.5}
    assert "published" not in Report("world", "ours", [], [], 1, None, None, hidden=2).as_dict()
