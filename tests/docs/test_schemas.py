"""The JSON schemas in docs/schemas fit what the commands really write."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.commands.conftest import Virst
from virst_cli.checkpoints.find import embedded

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schemas"
EXAMPLE = ROOT / "examples" / "dogs.mp4"
FAST = ("--model", str(embedded()), "--device", "cpu")


def check(name: str, value: Any) -> None:
    """Raise where a value does not fit a schema, or where it has a member that the schema does not describe."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(value)
    unknown = [member for member in value if member not in schema["properties"]]
    assert not unknown, f"describe {unknown} in docs/schemas/{name}.schema.json and docs/formats.md"


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.name)
def test_every_schema_is_valid_and_linked(path: Path):
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))
    assert f"(schemas/{path.name})" in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def test_segment_and_its_run_folder(virst: Virst, tmp_path: Path):
    done = virst("segment", EXAMPLE, "the dog that jumps last", "the red dog", "--json", *FAST)
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    check("segment", answer)
    folder = tmp_path / answer["run"]
    check("run", json.loads((folder / "run.json").read_text(encoding="utf-8")))
    header, *frames = map(json.loads, (folder / "masks.jsonl").read_text(encoding="utf-8").splitlines())
    check("masks-header", header)
    for frame in frames:
        check("masks-frame", frame)


def test_a_dry_run(virst: Virst):
    done = virst("segment", EXAMPLE, "the red dog", "--dry-run", "--json", *FAST)
    assert done.code == 0, done.err
    check("dry-run", json.loads(done.out))


def test_a_batch_with_a_video_that_fails(virst: Virst, tmp_path: Path):
    shutil.copy(EXAMPLE, tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"hello")
    (tmp_path / "jobs.csv").write_text("video,text\ngood.mp4,the red dog\nbad.mp4,the red dog\n")
    done = virst("batch", "jobs.csv", "--json", *FAST)
    assert done.code == 1
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert sorted(line["error"] is None for line in lines) == [False, True]
    for line in lines:
        check("batch", line)


def test_bench(virst: Virst):
    done = virst("bench", "--dataset", "world", "--videos", "1", "--frames", "4", "--json", *FAST)
    assert done.code == 0, done.err
    check("bench", json.loads(done.out))


@pytest.mark.parametrize(("name", "command"), [("weights-list", ("weights", "list")), ("doctor", ("doctor",))])
def test_lists(name: str, command: tuple[str, ...], virst: Virst):
    done = virst(*command, "--json")
    assert done.code == 0, done.err
    check(name, json.loads(done.out))
