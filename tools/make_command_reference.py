"""Writes docs/commands.md: the `--help` of every command, as a user sees it.

    python tools/make_command_reference.py docs/commands.md

A test compares the page with the commands, so run it after every change to an option or a help text.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import typer.main

from virst_cli.app import app
from virst_cli.files.atomic import write_text

WIDTH = 100  # columns of the help texts
HEADER = """# Commands

This page shows the `--help` of every command. `python tools/make_command_reference.py docs/commands.md` writes it.
"""


def reference() -> str:
    """The page as Markdown."""
    return HEADER + "".join(_section(path) for path in _commands(typer.main.get_command(app), []))


def _commands(command: Any, path: list[str]) -> list[list[str]]:
    """The words of a command and of all commands below it."""
    below = getattr(command, "commands", {})
    return [path, *(words for name in below for words in _commands(below[name], [*path, name]))]


def _section(path: list[str]) -> str:
    """The heading and help text of one command."""
    return f"\n## {' '.join(['virst', *path])}\n\n```text\n{_help(path)}\n```\n"


def _help(path: list[str]) -> str:
    """What `virst PATH --help` prints, with a fixed width."""
    context = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    program = (
        "import sys; from virst_cli.app import app; "
        f"app({[*path, '--help']!r}, prog_name='virst', standalone_mode=False, **{context!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def main(page: Path) -> None:
    """Write the page."""
    write_text(page, reference())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
