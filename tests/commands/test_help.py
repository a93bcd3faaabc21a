"""--help: it is fast and complete, its texts are plain sentences, and its examples run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.commands.conftest import Virst
from tests.commands.running import Zygote, cold, environment
from virst_cli.app import app
from virst_cli.tracking.frame_selection import PUBLISHED_CHUNK

COMMANDS = [
    ["segment"],
    ["batch"],
    ["export-overlay"],
    ["bench"],
    ["world"],
    ["train"],
    ["weights"],
    ["doctor"],
    ["weights", "list"],
    ["weights", "pull"],
    ["weights", "import"],
    ["weights", "path"],
    ["weights", "verify"],
    ["weights", "rm"],
]
SENTENCE = re.compile(r"""["'A-Z0-9].*\.""")  # one line that starts like a sentence and ends with a full stop
ODD = re.compile(r" is no | is none| are none")  # write "is not a", "is missing"
HEAVY = ("torch", "transformers", "sam2", "numpy", "PIL", "rich.console", "pycocotools", "tokenizers")


def examples(help_text: str) -> list[list[str]]:
    """The commands below `Examples:`, without `virst`."""
    lines = help_text.partition("Examples:")[2].splitlines()
    return [shlex.split(line)[1:] for line in lines if line.strip().startswith("virst ")]


def test_help_imports_nothing_heavy(tmp_path: Path):
    program = f"import sys; from virst_cli.app import run; run(['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]", "import it inside the function that needs it"


def test_help_lists_every_command_and_the_exit_codes(tmp_path: Path):
    done = cold("--help", cwd=tmp_path)
    assert done.code == 0
    for said in (*{command[0] for command in COMMANDS}, "3 nothing found", "130/143 interrupted"):
        assert said in done.out


def test_no_command_at_all_shows_the_help(virst: Virst):
    done = virst()
    assert (done.code, done.out) == (2, "")
    assert "Usage: virst" in done.err


def test_version(virst: Virst):
    from virst_cli.version import __version__

    assert virst("--version").out == f"virst {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_ends_with_examples(command: list[str], virst: Virst):
    done = virst(*command, "--help")
    assert done.code == 0
    first_line = done.out.splitlines()[2].strip()
    assert first_line.split()[0] in {
        "Segment",
        "Render",
        "Score",
        "Make",
        "Train",
        "List",
        "List,",
        "Convert",
        "Print",
        "Check",
        "Remove",
        "Download",
    }
    assert len(examples(done.out)) in (2, 3) or command == ["weights", "path"], (
        f"two or three examples are wanted: virst {' '.join(command)} --help"
    )


@pytest.mark.parametrize("path", [[], *COMMANDS], ids=" ".join)
def test_every_help_text_is_a_plain_sentence(path: list[str]):
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    for text in (command.help, command.epilog, *(parameter.help for parameter in command.params)):
        assert not ODD.search(text or ""), text
    for parameter in command.params:
        assert SENTENCE.fullmatch(parameter.help or ""), f"{parameter.opts}: write a sentence with a full stop: {parameter.help}"
    assert SENTENCE.match(command.help), command.help


@pytest.mark.parametrize("command", ["segment", "batch"])
def test_the_published_chunk_is_named(command: str, virst: Virst):
    assert f"({PUBLISHED_CHUNK} as published)" in " ".join(virst(command, "--help").out.split())


@pytest.fixture(scope="module")
def desk(clip: Path, seeing: Path, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the examples can run: it has a video, jobs files, and models named virst-nano and virst-7b."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(seeing, folder / "home" / "models" / "virst-nano")
    shutil.copytree(seeing, folder / "home" / "models" / "virst-7b")
    shutil.copy(clip, folder / "video.mp4")
    (folder / "jobs.csv").write_text("video,text\nvideo.mp4,the dog\n")
    (folder / "jobs.jsonl").write_text('{"video": "video.mp4", "text": "the dog"}\n')
    return folder


RUNNABLE = [
    command for command in COMMANDS if command not in (["bench"], ["train"], ["weights", "import"], ["weights", "pull"])
]  # these need hours or 30 GB


@pytest.mark.parametrize("command", RUNNABLE, ids=" ".join)
def test_the_examples_run(command: list[str], desk: Path, virst: Virst):
    where = {"cwd": desk, "env": {"VIRST_HOME": str(desk / "home")}}
    for example in examples(virst(*command, "--help").out):
        fresh = ["--overwrite"] if example[0] in ("segment", "batch") else ["--seed", "3"] if example[0] == "world" else []
        shutil.rmtree(desk / "data", ignore_errors=True)
        done = virst(*example, *fresh, **where)
        assert done.code == 0, f"virst {shlex.join(example)}: {done.err}"
