"""Keeps the house in order: who may import whom, how large a file may be, what has to be explained."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "virst_cli"
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400  # of a file; one that needs more holds two ideas
MIN_LINES = 15  # of a file that is not the face of a package; what needs less belongs into another one

# Every room of the package and what it may import of the others, besides itself. Imports run downwards only:
# commands -> runs -> segmenter -> tracking, outputs, checkpoints -> model, video -> files -> errors.
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "stages": set(),
    "files": {"errors"},
    "machine": {"errors", "files"},
    "video": {"errors", "files"},
    "model": {"errors"},
    "tracking": {"errors", "model"},
    "outputs": {"errors", "files", "video"},
    "world": {"errors", "outputs"},
    "checkpoints": {"errors", "files", "model", "stages"},
    "cost": {"errors", "stages", "machine", "model", "checkpoints", "tracking"},
    "segmenter": {"errors", "stages", "machine", "video", "model", "checkpoints", "tracking", "cost"},
    "runs": {"errors", "stages", "version", "files", "machine", "video", "outputs", "model", "checkpoints", "tracking", "cost"}
    | {"segmenter"},
    "engines": {"errors", "files", "stages"},
    "batch": {"errors", "stages", "files", "machine", "video", "outputs", "model", "checkpoints", "segmenter", "runs", "engines"},
    "bench": {
        "errors",
        "stages",
        "version",
        "files",
        "machine",
        "video",
        "outputs",
        "world",
        "checkpoints",
        "segmenter",
        "engines",
    },
    "training": {"errors", "files", "machine", "video", "outputs", "model", "checkpoints", "tracking", "world", "bench"},
}
ABOVE = {"commands", "app", "__main__", "__init__"}  # these may import everything
NEVER = {
    "tracking": ("virst_cli.video", "subprocess", "imageio_ffmpeg"),
    "outputs": ("torch", "transformers", "sam2", "safetensors"),
    "video": ("torch", "transformers", "sam2"),
    "model": ("virst_cli.video", "virst_cli.outputs", "virst_cli.checkpoints", "safetensors", "subprocess"),
}


def room_of(path: Path) -> str:
    """The folder or module right below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports when it runs; those for type checkers only are left out."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write imports in full, not `from .`"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "virst_cli")
        todo += ast.iter_child_nodes(node)


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_run_downwards(path: Path):
    room = room_of(path)
    if room in ABOVE:
        return
    assert room in BELOW, f"{room} is new: say in tests/test_layout.py what it may import"
    for module in imports(path):
        where = module.split(".")
        if where[0] == "virst_cli" and len(where) > 1 and where[1] in BELOW:
            assert where[1] in BELOW[room] | {room}, (
                f"{named(path)} imports {module}, which is not below it: move what it needs down"
            )
        assert where[:2] != ["virst_cli", "commands"], (
            f"{named(path)} imports {module}: commands are the top, the library knows none"
        )


@pytest.mark.parametrize("path", FILES, ids=named)
def test_rooms_do_not_import_what_they_must_not_know(path: Path):
    for module in imports(path):
        for never in NEVER.get(room_of(path), ()):
            assert module != never and not module.startswith(never + "."), (
                f"{named(path)} imports {module}: {room_of(path)} may not"
            )


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_commands_print(path: Path):
    if room_of(path) in ABOVE:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "exit", "quit"), f"{named(path)}:{node.lineno}: let the command print"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_file_is_too_long_or_too_short(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{named(path)} has {lines} lines, {MAX_LINES} is the limit: give each of its ideas a file"
    if path.stem not in ("__init__", "__main__"):
        assert lines >= MIN_LINES, f"{named(path)} has {lines} lines: put them where they are used"


def test_no_two_files_have_the_same_name():
    """But for the commands, which are named after what they do."""
    names = [path.stem for path in FILES if path.stem != "__init__" and room_of(path) not in ("commands", "__main__")]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"{', '.join(sorted(twice))}: two files of one name with two meanings; rename one"


def test_no_two_public_classes_or_functions_have_the_same_name():
    """One name, one thing: whoever searches for a name finds one definition."""
    places: dict[str, list[str]] = {}
    for path in FILES:
        if room_of(path) in ("commands", "app"):
            continue  # a command may be called what it calls
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and node.name != "main":
                places.setdefault(node.name, []).append(named(path))
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert not twice, "; ".join(f"{name} is defined in {' and '.join(where)}" for name, where in twice.items())


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_public_class_and_function_has_a_docstring(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), f"{named(path)}: say in the first line what the file is for"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), (
                f"{named(path)}:{node.lineno}: {node.name} is public; say in a docstring what it is for"
            )


def test_importing_the_package_takes_nothing_heavy():
    program = "import sys, virst_cli; print([m for m in ('torch', 'transformers', 'sam2', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "`import virst_cli` must stay light: import in virst_cli.__getattr__ or in functions"


def test_every_name_in_all_is_there():
    import virst_cli

    for name in virst_cli.__all__:
        assert getattr(virst_cli, name).__doc__, f"{name} is public; say in its docstring what it is for"
