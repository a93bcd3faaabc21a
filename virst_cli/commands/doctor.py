"""virst doctor: is everything here, and does it work?"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from virst_cli.commands.cost_text import for_json, in_words
from virst_cli.commands.options import AsJson

if TYPE_CHECKING:
    from virst_cli.runs.doctor import Finding

EPILOG = """\b
Examples:
  virst doctor
  virst doctor --json
"""
TROUBLE = 1


def doctor(as_json: AsJson = False) -> None:
    """Check versions, device, memory, ffmpeg, disk, and the sha256 of every model; say what each model takes.

    Exit code 1 if something is wrong.
    """
    from virst_cli.runs.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            for line in _lines(finding):
                typer.echo(line)
    well = not any(finding.trouble for finding in findings)
    if as_json:
        said = {"schema_version": 1, "well": well, "findings": [_members(finding) for finding in findings]}
        typer.echo(json.dumps(said, ensure_ascii=False))
    if not well:
        raise typer.Exit(TROUBLE)


def _lines(finding: "Finding") -> Iterator[str]:
    yield f"{'!' if finding.trouble else ' '} {finding.topic:18} {finding.found}"
    takes = finding.takes
    more = in_words(takes.memory, takes.disk, takes.time) if takes else []
    for line in [finding.trouble] if finding.trouble else more:
        yield f"  {'':18} {line}"


def _members(finding: "Finding") -> dict[str, Any]:
    takes = finding.takes
    said = {"topic": finding.topic, "found": finding.found, "trouble": finding.trouble}
    return {**said, "takes": for_json(takes.memory, takes.disk, takes.time) if takes else None}
