"""virst world and virst bench: a data set made, read again, and scored."""

import json
import shutil
import signal
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bench.layouts import NAMES, VIDEOS, WRITERS, answer
from tests.commands.conftest import Virst
from tests.commands.running import Zygote, until
from virst_cli import engines
from virst_cli.bench import open_dataset
from virst_cli.commands.bench import bench
from virst_cli.commands.options import EngineName
from virst_cli.engines.local import LocalEngine
from virst_cli.errors import UsageError
from virst_cli.machine import devices


@pytest.fixture(scope="module")
def data(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One synthetic video in the layout of MeViS."""
    folder = tmp_path_factory.mktemp("data")
    done = zygote.start("world", "data", "--videos", "1", "--frames", "4", "--size", "48x32", cwd=folder).wait()
    assert done.out == "data/mevis/valid_u\n", done.err
    return folder / "data"


@pytest.fixture(scope="module")
def other_model(blind: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The blind model by another name, so that the published pre-processing is used for it."""
    from virst_cli.checkpoints.manifest import MANIFEST, manifest_text

    folder = Path(shutil.copytree(blind, tmp_path_factory.mktemp("models") / "other-model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "name": "Stranger 7"}))
    (folder / MANIFEST).write_text(manifest_text(folder, name="Stranger 7", source={"weights": "random"}))
    return folder


def test_a_data_set_is_scored_from_disk_or_from_the_environment(data: Path, blind: Path, virst: Virst):
    named = virst("bench", "--dataset", "mevis", "--root", data, "--model", blind, "--json", "-q")
    assert named.code == 0, named.err
    report = json.loads(named.out)
    assert next(iter(report)) == "schema_version"
    assert (report["dataset"], report["model"], report["videos"], report["missing"]) == ("mevis", "virst-nano", 1, [])
    assert set(report["scores"]) == {"J", "F", "J&F"}
    assert set(report["by_video"]) == {"world00000"}
    assert report["published"][-1]["model"] == "VIRST"
    found = virst("bench", "--dataset", "mevis", "--model", blind, "--json", "-q", env={"VIRST_DATA": str(data)})
    assert json.loads(found.out)["scores"] == report["scores"]


def test_a_world_is_made_on_the_fly_shown_as_a_table_and_leaves_nothing(data: Path, blind: Path, virst: Virst, tmp_path: Path):
    command = ("bench", "--dataset", "world", "--videos", "1", "--frames", "2", "--model", blind)
    done = virst(*command, env={"VIRST_DATA": str(data)})  # which holds another set
    assert (done.code, done.out) == (0, "")
    assert "world, virst-nano" in done.err
    assert not list(tmp_path.iterdir())


def test_masks_are_kept_under_the_names_of_set_and_model_and_used_again(
    data: Path, other_model: Path, virst: Virst, tmp_path: Path
):
    command = ("bench", "--dataset", "mevis", "--root", data, "--model", other_model, "-q")
    first = virst(*command)
    folder = tmp_path / "virst-bench" / "mevis-stranger-7"
    assert (first.code, first.out) == (0, "virst-bench/mevis-stranger-7\n"), first.err
    assert "Stranger 7" in first.err
    note = json.loads((folder / "run.json").read_text())
    assert note["settings"] == {"device": "cpu", "dtype": "float32", "chunk": 2**31, "faithful": True}
    masks = sorted(folder.rglob("*.png"))
    assert len(masks) == 4 * len(
        json.loads((data / "mevis/valid_u/meta_expressions.json").read_text())["videos"]["world00000"]["expressions"]
    )
    times = [path.stat().st_mtime_ns for path in masks]
    again = json.loads(virst(*command, "--resume", "--json").out)
    assert (again["fps"], again["files"]) == (None, ["virst-bench/mevis-stranger-7"])
    assert [path.stat().st_mtime_ns for path in masks] == times
    fast = virst(*command, "--fast")
    assert fast.code == 2
    assert "other settings (chunk 2147483648, not 256, faithful True, not False)" in fast.error and "--overwrite" in fast.error
    assert [path.stat().st_mtime_ns for path in masks] == times
    assert virst(*command, "--fast", "--overwrite").code == 0
    assert json.loads((folder / "run.json").read_text())["settings"]["faithful"] is False
    assert [path.stat().st_mtime_ns for path in masks] != times


def test_the_embedded_model_is_run_as_it_is_made_to(data: Path, blind: Path, virst: Virst, tmp_path: Path):
    done = virst("bench", "--dataset", "mevis", "--root", data, "--model", blind, "-q", "-o", "mine")
    assert (done.code, done.out) == (0, "mine\n")
    assert json.loads((tmp_path / "mine" / "run.json").read_text())["settings"]["faithful"] is False


def test_missing_masks_are_listed_and_exit_code_1(data: Path, virst: Virst, tmp_path: Path):
    (tmp_path / "masks").mkdir()
    done = virst("bench", "--dataset", "mevis", "--root", data, "--predictions", "masks", "--json", "-q")
    assert done.code == 1
    report = json.loads(done.out)
    assert (report["model"], report["missing"]) == (None, ["world00000"])
    assert "1 videos, expressions or frames are missing" in done.error


@pytest.mark.parametrize("name", WRITERS)
def test_predictions_for_every_data_set_are_scored(name: str, virst: Virst, tmp_path: Path):
    dataset = open_dataset(name, WRITERS[name](tmp_path / "data"))
    answer(dataset, tmp_path / "masks")
    command = ("bench", "--dataset", name, "--root", "data", "--predictions", "masks", "-q")
    report = json.loads(virst(*command, "--json").out)
    perfect = {"J": 100.0, "F": 100.0, "J&F": 100.0}
    assert report["scores"] == (None if name in ("mevis-test", "ref-youtube-vos") else perfect)
    assert ("groups" in report) == (name == "revos")
    assert report.get("protocols") == ({"per_expression": perfect, "standard": perfect} if name == "ref-davis17" else None)
    if name == "revos":
        assert set(report["groups"]) == {"referring", "reasoning", "overall"}
        assert {"J", "F", "J&F", "A", "R_255", "R_binary"} <= set(report["groups"]["overall"])
    table = virst(*command)
    assert (table.code, table.out) == (0, "")
    assert name in table.err


def test_a_killed_run_goes_on_to_the_same_bytes(seeing: Path, zygote: Zygote, virst: Virst, tmp_path: Path):
    assert virst("world", "many", "--videos", "3", "--frames", "8", "--size", "64x48").code == 0
    command = ("bench", "--dataset", "mevis", "--root", "many", "--model", seeing, "-q", "-o")
    running = zygote.start(*command, "killed", cwd=tmp_path)
    until(lambda: (tmp_path / "killed" / "world00001" / "0").is_dir(), "the masks of the second video")
    running.send(signal.SIGKILL)
    running.wait()
    for folder in (tmp_path / "killed").glob("*/*[0-9]"):
        assert len(list(folder.iterdir())) == 8  # whole, or not there
    assert virst(*command, "killed").code == 0
    assert virst(*command, "whole").code == 0
    killed, whole = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in sorted((tmp_path / name).rglob("*")) if path.is_file()}
        for name in ("killed", "whole")
    )
    assert killed == whole
    assert len(whole) > 3 * 8


def test_a_submission_is_written_once_it_is_whole(other_model: Path, virst: Virst, tmp_path: Path):
    WRITERS["mevis-test"](tmp_path / "data")
    frame = tmp_path / "data" / "mevis" / "valid" / "JPEGImages" / VIDEOS[1] / f"{NAMES[0]}.jpg"
    frame.rename(tmp_path / "aside.jpg")
    command = ("bench", "--dataset", "mevis-test", "--root", "data", "--model", other_model, "-q", "--submission", "answer.zip")
    lacking = virst(*command)
    assert (lacking.code, lacking.out) == (1, "virst-bench/mevis-test-stranger-7\n")
    assert "answer.zip was not written" in lacking.error
    (tmp_path / "aside.jpg").rename(frame)
    done = virst(*command)
    assert (done.code, done.out) == (0, "virst-bench/mevis-test-stranger-7\nanswer.zip\n"), done.err
    with zipfile.ZipFile(tmp_path / "answer.zip") as archive:
        assert len(archive.namelist()) == 2 * 3 * len(NAMES)
    assert "already" in virst(*command).error


def test_a_page_is_written(data: Path, blind: Path, virst: Virst, tmp_path: Path):
    command = ("bench", "--dataset", "world", "--videos", "1", "--frames", "2", "--model", blind, "-q", "--report", "page.html")
    done = virst(*command)
    assert (done.code, done.out) == (0, "page.html\n"), done.err
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "already" in virst(*command).error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "nope"], "nope"),
        (["--dataset", "mevis"], "--root"),
        (["--dataset", "world", "--shard", "one"], "--shard 1/4"),
        (["--dataset", "world", "--submission", "a.zip"], "world has no server"),
        (["--dataset", "world", "--submission", "a.zip", "--limit", "1"], "leave out --limit"),
        (["--dataset", "world", "--predictions", "a", "-o", "b"], "leave out --output"),
        (["--dataset", "world", "--report", "nowhere/page.html"], "is not a folder"),
    ],
    ids=str,
)
def test_a_wrong_request_is_one_line(options: list[str], message: str, virst: Virst):
    done = virst("bench", *options, "-q", env={"VIRST_DATA": ""})
    assert (done.code, done.out) == (2, "")
    assert message in done.error


def test_a_data_set_is_not_written_over(data: Path, virst: Virst):
    done = virst("world", data)
    assert done.code == 2
    assert "already" in done.error
    assert "--size 128x128" in virst("world", "new", "--size", "big").error


def test_a_cluster_of_gpus_needs_none_on_this_machine(
    blind: Path, virst: Virst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The workers' "cuda" is a CPU here, which nobody outside of them may open."""
    in_worker: list[bool] = []
    resolve = devices.resolve_device

    def resolve_in_workers(name: str) -> torch.device:
        if not in_worker:
            raise UsageError(f"device {name!r} can't be used")
        assert name == "cuda"
        return resolve("cpu")

    class Cluster:
        def map(self, make: Any, items: Sequence[int], on_progress: Any) -> Iterator[tuple[int, Any]]:
            results = LocalEngine("cuda").map(make, items, on_progress)
            for _ in items:
                in_worker.append(True)
                result = next(results)
                in_worker.clear()
                yield result

    monkeypatch.setattr("virst_cli.segmenter.load.resolve_device", resolve_in_workers)
    monkeypatch.setattr(engines, "open_engine", lambda name, **options: Cluster())
    monkeypatch.chdir(tmp_path)
    world: dict[str, Any] = {"dataset": "world", "videos": 2, "frames": 4, "model": str(blind), "as_json": True, "quiet": True}
    with pytest.raises(UsageError, match="can't be used"):
        bench(**world, device="cuda", output=Path("alone"))
    bench(**world, device="cuda", output=Path("masks"), engine=EngineName.ray)
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == ["masks"]
    settings = json.loads((tmp_path / "masks" / "run.json").read_text())["settings"]
    assert settings == {"device": "cpu", "dtype": "float32", "chunk": 256, "faithful": False}
    here = virst("bench", "--dataset", "world", "--videos", "2", "--frames", "4", "--model", blind, "-o", "masks", "--json", "-q")
    assert here.code == 0, here.err  # these masks are those that a run here would make
    assert without_speed(json.loads(here.out)) == without_speed(report)


def without_speed(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("fps", "peak_memory_bytes")}


@pytest.mark.slow
def test_a_ray_cluster_makes_the_same_masks_as_this_process(virst: Virst, tmp_path: Path):
    command = ["bench", "--dataset", "world", "--videos", "2", "--frames", "8", "--device", "cpu", "--json"]
    local = virst(*command, "--output", "local")
    spread = virst(*command, "--output", "spread", "--engine", "ray", env={"RAY_AUTH_MODE": "disabled"})
    assert (local.code, spread.code) == (0, 0), spread.err
    masks = {
        name: {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.png")}
        for name in ("local", "spread")
    }
    assert masks["spread"] == masks["local"]
    assert len(masks["local"]) > 50
    scores = [json.loads(done.out)["scores"] for done in (local, spread)]
    assert scores[0] == scores[1]
