"""Progress where stderr is not a terminal: few lines, and none with --quiet."""

import pytest

from virst_cli.commands import progress
from virst_cli.commands.progress import Progress, print_training_step
from virst_cli.training.loop import StepReport


def test_there_is_a_line_when_a_stage_begins_and_when_it_ends(capsys: pytest.CaptureFixture[str]):
    with Progress(quiet=False) as show:
        for stage in ("look", "propagate"):
            for done in range(11):
                show(stage, done, 10)
    output = capsys.readouterr()
    assert output.out == ""
    assert [line.split(",")[0] for line in output.err.splitlines()] == [
        "look 0/10",
        "look 10/10",
        "propagate 0/10",
        "propagate 10/10",
    ]


def test_a_long_stage_has_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    seconds = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    with Progress(quiet=False) as show:
        for done in range(10):
            show("propagate", done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) < 10
    assert "/s, " in lines[-1]
    assert lines[-1].endswith(" s left")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]):
    with Progress(quiet=True) as show:
        show("look", 1, 10)
    assert capsys.readouterr() == ("", "")


def test_a_training_step_is_one_line(capsys: pytest.CaptureFixture[str]):
    print_training_step(StepReport("join", 10, 130, {"mask": 0.5}, 2.0))
    assert capsys.readouterr().err == "join 10/130  mask 0.5000  2.00 s/step, 4 min left in this stage\n"
