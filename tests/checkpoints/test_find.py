"""A name finds its model, and without a name the best model is chosen."""

import json
import shutil
from pathlib import Path

import pytest

from virst_cli.checkpoints import find
from virst_cli.checkpoints.manifest import CONFIG
from virst_cli.checkpoints.pins import HubName, Pins
from virst_cli.checkpoints.registry import EMBEDDED, PUBLISHED
from virst_cli.checkpoints.repair_hint import repair_hint
from virst_cli.errors import WeightsError

COMMIT = "0123456789" * 4


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hub cache of the test's own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def model(folder: Path, size: int) -> Path:
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(size))
    return folder


def pulled(name: str, size: int) -> Path:
    pins = Pins(name)
    folder = model(pins.snapshot(COMMIT), size)
    pins.add("main", COMMIT, {CONFIG: "a" * 64, "model.safetensors": "b" * 64})
    return folder


def test_the_embedded_model_is_taken_if_it_is_the_only_one():
    chosen = find.choose_model()
    assert (chosen.name, chosen.path, chosen.reason) == (EMBEDDED, find.embedded(), "the only one here")


def test_the_largest_model_is_taken_and_the_embedded_one_last():
    model(find.import_folder("small"), 10)
    large = pulled("someone/large", 100)
    chosen = find.choose_model()
    assert (chosen.name, chosen.path, chosen.reason) == ("someone/large", large, "the largest of 3 here")
    assert [name for name, _ in find.installed()] == ["someone/large", "small", EMBEDDED]
    assert find.find_model() == large


def test_a_name_is_searched_as_embedded_then_imported_then_a_folder_then_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    on_hub = pulled("a/b", 1)
    assert find.find_model("a/b") == on_hub
    folder = model(Path("a/b"), 1)
    assert find.find_model("a/b") == folder
    here = model(find.import_folder("a/b"), 1)
    assert find.find_model("a/b") == here
    model(Path(EMBEDDED), 1)
    assert find.find_model(EMBEDDED) == find.embedded()


@pytest.mark.parametrize(
    ("name", "says"),
    [("virst-7b", "virst weights pull virst-7b"), ("some/one", "virst weights pull some/one"), ("nothing", "virst weights list")],
)
def test_a_model_that_is_not_here_is_an_error_that_says_how_to_get_it(name, says):
    with pytest.raises(WeightsError, match=says):
        find.choose_model(name)


def test_a_download_that_lost_a_file_is_not_here(cache):
    folder = pulled("a/b", 1)
    (folder / CONFIG).unlink()
    assert [name for name, _ in find.installed()] == [EMBEDDED]
    with pytest.raises(WeightsError, match="pull a/b"):
        find.choose_model("a/b")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"revisions": {}}', '{"revisions": {"main": "x"}, "sha256": {"x": 1}}'])
def test_an_unreadable_record_counts_as_nothing_downloaded(text, cache):
    pulled("a/b", 1)
    (cache / "models--a--b" / "virst.json").write_text(text)
    assert Pins("a/b").complete_folder("main") is None


def test_a_revision_is_removed_from_the_record_with_all_names_of_its_commit():
    pulled("a/b", 1)
    pins = Pins("a/b")
    pins.add("v2", "f" * 40, {CONFIG: "c" * 64})
    pins.remove("main")
    assert json.loads((pins.folder / "virst.json").read_text())["revisions"].keys() == {"v2", "f" * 40}
    assert Pins("a/b").commit("main") == "main"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("someone/virst-7b", HubName("someone/virst-7b")),
        ("someone/virst-7b@v1.2", HubName("someone/virst-7b", "v1.2")),
        ("someone/virst-7b@refs/pr/3", HubName("someone/virst-7b", "refs/pr/3")),
        ("virst-7b", None),
        ("a/b/c", None),
        ("../a", None),
        ("./a/b", None),
        ("/a/b", None),
        ("a/b@", None),
        ("a/b@../c", None),
        ("a/b@v/../../c", None),
        ("a/ b", None),
        ("-a/b", None),
    ],
)
def test_names_on_the_hub_have_one_form(text, meant):
    assert HubName.parse(text) == meant
    if meant is not None:
        assert str(meant) == text


def test_the_table_names_every_part_with_its_sum_where_it_is_known():
    table = PUBLISHED["virst-7b"]
    assert table.name == "virst-7b"
    sums = [table.checkpoint.sha256, *table.sam2.sha256.values()]
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in sums)
    assert not any(name.endswith(".py") or name == "*" for part in table.hub_parts for name in part.files)


def test_the_repair_hint_depends_on_where_a_model_came_from(cache):
    assert "`virst weights pull a/b`" in repair_hint(pulled("a/b", 1))
    assert "`virst weights import`" in repair_hint(find.import_folder("mine"))
    assert repair_hint(find.embedded()) == "install virst again"


def test_no_code_of_others_is_ever_trusted():
    package = Path(find.__file__).parents[1]
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "trust_remote_code" not in text, path
        assert "weights_only=False" not in text, path


def test_the_cache_of_the_hub_is_read_even_where_it_does_not_exist(cache):
    shutil.rmtree(cache, ignore_errors=True)
    assert [name for name, _ in find.installed()] == [EMBEDDED]
