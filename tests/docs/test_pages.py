"""The pages under docs/ are true: the command reference is current, quoted messages exist, links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

from tools.make_command_reference import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
QUOTED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)  # the first column of a table
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def constants() -> str:
    """All text in the source of virst_cli, one string a line; the values in an f-string are left out."""
    found = []
    for path in (ROOT / "virst_cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("\0".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_the_command_reference_is_current():
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == reference(), (
        "an option or a help text has changed; run `python tools/make_command_reference.py docs/commands.md`"
    )


def test_every_quoted_message_occurs_in_the_source():
    quoted = QUOTED.findall((DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    source = constants()
    assert len(quoted) > 20
    missing = [fragment for fragment in quoted if fragment not in source]
    assert not missing, f"no message holds {missing}; quote the new wording in docs/troubleshooting.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which does not exist"


def test_every_environment_variable_is_documented():
    page = (DOCS / "environment.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "virst_cli").rglob("*.py"))
    used = set(re.findall(r"environ(?:\.get\(|\[)\"((?:VIRST|HF|RAY)_[A-Z_]+)\"", source))
    assert used
    assert not [name for name in sorted(used) if f"`{name}`" not in page], "describe it in docs/environment.md"


def test_every_room_is_described():
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "virst_cli").glob("*/__init__.py")}
    assert not [room for room in sorted(rooms) if f"`{room}/`" not in page], "give it a line in docs/architecture.md"


def test_the_version_of_the_citation_is_the_programs():
    from virst_cli import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
