"""virst world and virst bench: a data set made, read again, and scored."""

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Virst
from tests.commands.running import Zygote


@pytest.fixture(scope="module")
def data(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One synthetic video in the layout of MeViS."""
    folder = tmp_path_factory.mktemp("data")
    done = zygote.start("world", "data", "--videos", "1", "--frames", "4", "--size", "48x32", cwd=folder).wait()
    assert done.out == "data/mevis/valid_u\n", done.err
    return folder / "data"


def test_a_data_set_is_scored_from_disk_or_from_the_environment(data: Path, blind: Path, virst: Virst):
    named = virst("bench", "--dataset", "mevis", "--root", data, "--model", blind, "--json", "-q")
    assert named.code == 0, named.err
    said = json.loads(named.out)
    assert next(iter(said)) == "schema_version"
    assert (said["dataset"], said["model"], said["videos"], said["missing"]) == ("mevis", "virst-nano", 1, [])
    assert set(said["scores"]) == {"J", "F", "J&F"}
    found = virst("bench", "--dataset", "mevis", "--model", blind, "--json", "-q", env={"VIRST_DATA": str(data)})
    assert json.loads(found.out)["scores"] == said["scores"]


def test_a_world_is_made_on_the_fly_and_shown_as_a_table(data: Path, blind: Path, virst: Virst):
    asked = ("bench", "--dataset", "world", "--videos", "1", "--frames", "2", "--model", blind)
    done = virst(*asked, env={"VIRST_DATA": str(data)})  # which holds another set
    assert (done.code, done.out) == (0, "")
    assert "world, virst-nano" in done.err


def test_missing_masks_are_listed_and_exit_code_1(data: Path, virst: Virst, tmp_path: Path):
    (tmp_path / "masks").mkdir()
    done = virst("bench", "--dataset", "mevis", "--root", data, "--predictions", "masks", "--json", "-q")
    assert done.code == 1
    said = json.loads(done.out)
    assert (said["model"], said["missing"]) == (None, ["world00000"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dataset", "nope"], "nope"),
        (["--dataset", "mevis"], "--root"),
        (["--dataset", "world", "--shard", "one"], "--shard 1/4"),
    ],
    ids=str,
)
def test_a_wrong_request_is_one_line(options: list[str], said: str, virst: Virst):
    done = virst("bench", *options, "-q", env={"VIRST_DATA": ""})
    assert (done.code, done.out) == (2, "")
    assert said in done.error


def test_a_data_set_is_not_written_over(data: Path, virst: Virst):
    done = virst("world", data)
    assert done.code == 2
    assert "already" in done.error
    assert "--size 128x128" in virst("world", "new", "--size", "big").error
