"""virst doctor: is everything here, and does it work?"""

import json

import typer

from virst_cli.commands.options import AsJson

EPILOG = """\b
Examples:
  virst doctor
  virst doctor --json
"""
TROUBLE = 1


def doctor(as_json: AsJson = False) -> None:
    """Check versions, device, memory, ffmpeg, disk, and the sha256 of every model. Exit code 1 if something is wrong."""
    from dataclasses import asdict

    from virst_cli.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            typer.echo(f"{'!' if finding.trouble else ' '} {finding.topic:18} {finding.found}")
            if finding.trouble:
                typer.echo(f"  {'':18} {finding.trouble}")
    well = not any(finding.trouble for finding in findings)
    if as_json:
        said = {"schema_version": 1, "well": well, "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(said, ensure_ascii=False))
    if not well:
        raise typer.Exit(TROUBLE)
