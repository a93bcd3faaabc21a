"""The published evaluators' numbers come out, on the stored sets; a second set runs through the same tests."""

import json
from pathlib import Path

import pytest

from tests.bench.goldens import DAVIS, MEVIS, REVOS, expected
from virst_cli.bench import Report, open_dataset, score_predictions

EXACT = 1e-6


def scored(name: str) -> Report:
    mini = {"mevis": MEVIS, "ref-davis17": DAVIS, "revos": REVOS}[name]
    report = score_predictions(open_dataset(name, mini), mini / "predictions")
    assert (report.missing, report.extra) == ([], [])
    return report


def rounded(scores: dict[str, float] | None) -> dict[str, float]:
    assert scores is not None
    return {name: round(value, 2) for name, value in scores.items()}


def test_mevis() -> None:
    report = scored("mevis")
    assert rounded(report.scores) == expected(MEVIS)["all"]
    for row in report.expression_scores:
        published = expected(MEVIS)["per_expression"][f"{row.video}/{row.expression}"]
        assert (row.j, row.f) == (pytest.approx(published["J"], abs=1e-9), pytest.approx(published["F"], abs=1e-9))


def test_davis_by_its_authors_protocol() -> None:
    report = scored("ref-davis17")
    assert rounded(report.protocols["per_expression"]) == expected(DAVIS)["all"]
    assert report.scores == report.protocols["per_expression"]


@pytest.mark.parametrize(("ours", "theirs"), [("referring", "referring"), ("reasoning", "reason"), ("overall", "overall")])
@pytest.mark.parametrize(
    ("stored", "names"),
    [
        ("png255", {"J": "J", "F": "F", "J&F": "JF", "A_255": "A", "R_255": "R"}),
        ("binary", {"J": "J", "F": "F", "J&F": "JF", "A": "A", "R_binary": "R"}),
    ],
)
def test_revos(ours: str, theirs: str, stored: str, names: dict[str, str]) -> None:
    found, wanted = scored("revos").groups[ours], expected(REVOS)[f"aggregate_{stored}"][theirs]
    assert found is not None
    for our_name, their_name in names.items():
        assert found[our_name] == pytest.approx(wanted[their_name], abs=EXACT), our_name


def test_every_sentence_of_revos_has_its_published_percentages() -> None:
    rows = {(row.video, row.expression): row for row in scored("revos").expression_scores}
    for stored, names in (("png255", {"A": "A_255", "R": "R_255"}), ("binary", {"A": "A", "R": "R_binary"})):
        for published in expected(REVOS)[f"per_expression_{stored}"]:
            row = rows[published["video_name"], published["exp_id"]]
            assert (round(100 * row.j, 2), round(100 * row.f, 2)) == (published["J"], published["F"])
            for theirs, ours in names.items():
                assert round(100 * row.more[ours], 2) == pytest.approx(published[theirs], abs=EXACT)


def test_the_scores_of_revos_are_those_of_all_its_groups() -> None:
    found = scored("revos").as_dict()
    assert found["scores"] == {name: found["groups"]["overall"][name] for name in ("J", "F", "J&F")}
    types = json.loads((REVOS / "ReVOS" / "meta_expressions_valid_.json").read_text())["videos"].values()
    counts = [published["type_id"] for video in types for published in video["expressions"].values()]
    for name, type_id in (("referring", 0), ("reasoning", 1), ("neither", 2)):
        assert found["by_type"].get(name, {"n": 0})["n"] == counts.count(type_id)


def test_a_video_without_predictions_counts_as_zero_as_published(tmp_path: Path) -> None:
    dataset = open_dataset("mevis", MEVIS)
    for index in range(len(dataset)):
        if index != 1:
            name = dataset[index].video
            (tmp_path / name).symlink_to(MEVIS / "predictions" / name)
    report = score_predictions(dataset, tmp_path)
    assert rounded(report.scores) == expected(MEVIS)["second_video_missing"]
    assert report.missing == [dataset[1].video]
