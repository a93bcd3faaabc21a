"""virst doctor: checks that everything virst needs is installed and works."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from virst_cli.commands.cost_text import cost_json, cost_lines
from virst_cli.commands.json_output import json_line
from virst_cli.commands.options import AsJson

if TYPE_CHECKING:
    from virst_cli.runs.doctor import CheckResult

EPILOG = """\b
Examples:
  virst doctor
  virst doctor --json
"""
FAILED = 1


def doctor(as_json: AsJson = False) -> None:
    """Check the installation, and what each model needs.

    Checks versions, device, memory, ffmpeg, disk, and the sha256 of every model file. Estimates the memory, disk space and time
    that each model needs for an example. A line with a problem begins with an exclamation mark, and the exit code is then 1.
    """
    from virst_cli.runs.doctor import run_checks

    results = []
    for result in run_checks():
        results.append(result)
        if not as_json:
            for line in _result_lines(result):
                typer.echo(line)
    all_ok = not any(result.problem for result in results)
    if as_json:
        answer = {"schema_version": 1, "well": all_ok, "findings": [_result_json(result) for result in results]}
        typer.echo(json_line(answer))
    if not all_ok:
        raise typer.Exit(FAILED)


def _result_lines(result: "CheckResult") -> Iterator[str]:
    """Lines of text: the result, and below it the problem or the cost."""
    yield f"{'!' if result.problem else ' '} {result.topic:18} {result.found}"
    cost = cost_lines(result.cost.memory, result.cost.disk, result.cost.time) if result.cost else []
    for line in [result.problem] if result.problem else cost:
        yield f"  {'':18} {line}"


def _result_json(result: "CheckResult") -> dict[str, Any]:
    """A result as a JSON object."""
    cost = cost_json(result.cost.memory, result.cost.disk, result.cost.time) if result.cost else None
    return {"topic": result.topic, "found": result.found, "trouble": result.problem, "takes": cost}
