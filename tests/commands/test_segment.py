"""virst segment: its output, its files and its exit codes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.conftest import FRAMES, Virst
from tests.commands.running import cold, environment
from virst_cli.outputs.record import Record
from virst_cli.stages import MODEL_STAGES, Stage


def test_a_video_and_a_sentence_become_masks_and_an_overlay(clip: Path, seeing: Path, tmp_path: Path):
    done = cold("segment", clip, "the dog that jumps last", "--model", seeing, cwd=tmp_path)
    assert done.code == 0, done.err
    names = ["the-dog-that-jumps-last.overlay.mp4", "masks.jsonl", "run.json"]
    assert done.out.splitlines() == [f"clip.virst/{name}" for name in names]
    assert sorted(path.name for path in (tmp_path / "clip.virst").iterdir()) == sorted(names)
    assert len(list(Record.open(tmp_path / "clip.virst"))) == FRAMES


def test_all_formats_come_from_one_pass_and_json_names_every_file(clip: Path, seeing: Path, virst: Virst, tmp_path: Path):
    done = virst(
        "segment", clip, "the dog", "the cat", "--model", seeing, "-f", "overlay,mask-video", "-f", "png,cutout", "--json"
    )
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    assert next(iter(answer)) == "schema_version"
    assert (answer["schema_version"], answer["frames"], answer["expected_frames"], answer["found"]) == (1, FRAMES, FRAMES, True)
    assert answer["sentences"] == [{"text": "the dog", "found": True}, {"text": "the cat", "found": True}]
    assert set(answer["timings"]) == set(Stage)
    assert answer["peak_memory_bytes"] > 1e6
    folder = tmp_path / "clip.virst"
    assert sorted(answer["files"]) == sorted(f"clip.virst/{path.name}" for path in folder.iterdir())
    (masks, *_) = [row.masks for row in Record.open(folder)]
    png = np.asarray(Image.open(folder / "the-cat" / "00000.png"))
    assert np.array_equal(png, masks[1] * np.uint8(255))
    assert len(list((folder / "the-dog").iterdir())) == FRAMES


def test_nothing_found_is_a_result_with_exit_code_3(clip: Path, blind: Path, virst: Virst, tmp_path: Path):
    done = virst("segment", clip, "the dog", "--model", blind, "--json", "-f", "mask-video")
    assert done.code == 3, done.err
    answer = json.loads(done.out)
    assert answer["found"] is False
    assert answer["sentences"] == [{"text": "the dog", "found": False}]
    assert all(Path(tmp_path / name).exists() for name in answer["files"])
    assert not any(row.masks.any() for row in Record.open(tmp_path / "clip.virst"))
    assert "nothing was found" in done.err


def test_a_part_of_a_video_has_the_frames_of_that_part_with_their_times(clip: Path, seeing: Path, virst: Virst, tmp_path: Path):
    done = virst("segment", clip, "the dog", "--model", seeing, "--start", "0.5", "--end", "00:00:01.000", "-q")
    assert (done.code, done.err) == (0, "")
    assert [row.time for row in Record.open(tmp_path / "clip.virst")] == [index / 24 for index in range(12, 24)]


def test_a_truncated_video_is_a_warning_and_with_strict_a_failure(clip: Path, seeing: Path, virst: Virst, tmp_path: Path):
    from tests.video.making import FAST, Maker

    whole = Maker(tmp_path)("cut.mkv", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=24:duration=2", *FAST)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    done = virst("segment", whole, "the dog", "--model", seeing, "--json")
    assert done.code == 0, done.err
    assert "virst: warning: " in done.err
    assert "is truncated" in json.loads(done.out)["warning"]
    strict = virst("segment", whole, "the dog", "--model", seeing, "--strict", "--overwrite")
    assert strict.code == 1
    assert len(strict.out.splitlines()) == 3


def test_a_finished_run_is_not_changed_without_overwrite_or_resume(clip: Path, seeing: Path, virst: Virst, tmp_path: Path):
    assert virst("segment", clip, "the dog", "--model", seeing).code == 0
    before = (tmp_path / "clip.virst" / "run.json").read_bytes()
    refused = virst("segment", clip, "the cat", "--model", seeing)
    assert (refused.code, refused.out) == (2, "")
    assert "--overwrite" in refused.error
    assert "--resume" in refused.error
    assert (tmp_path / "clip.virst" / "run.json").read_bytes() == before
    again = virst("segment", clip, "the dog", "--model", seeing, "--resume", "-f", "png")
    assert again.code == 0, again.err
    assert (tmp_path / "clip.virst" / "run.json").read_bytes() == before  # finished: only the missing pictures were made
    assert len(list((tmp_path / "clip.virst" / "the-dog").iterdir())) == FRAMES
    replaced = virst("segment", clip, "the cat", "--model", seeing, "--overwrite")
    assert replaced.code == 0, replaced.err
    left = sorted(path.name for path in (tmp_path / "clip.virst").iterdir())
    assert left == ["masks.jsonl", "run.json", "the-cat.overlay.mp4"]  # nothing of the dog


def test_a_dry_run_says_what_would_happen_and_writes_nothing(clip: Path, seeing: Path, tmp_path: Path):
    done = cold("segment", clip, "the dog", "--model", seeing, "--dry-run", "-f", "overlay,png", "-o", "out", cwd=tmp_path)
    assert done.code == 0, done.err
    for said in (f"{FRAMES} frames", "96x64", "seeing", "memory: about", "time: about", "out/clip.virst/the-dog.overlay.mp4"):
        assert said in done.out
    assert not list(tmp_path.glob("out"))


def test_the_estimate_of_a_dry_run_is_within_a_factor_of_two(clip: Path, seeing: Path, tmp_path: Path):
    plan = json.loads(cold("segment", clip, "the dog", "--model", seeing, "--dry-run", "--json", cwd=tmp_path).out)
    real = json.loads(cold("segment", clip, "the dog", "--model", seeing, "--json", cwd=tmp_path).out)
    assert plan["files"] == real["files"]
    assert 0.5 < plan["memory_bytes"] / real["peak_memory_bytes"] < 2
    assert set(plan["memory_by_stage"]) == set(MODEL_STAGES)
    assert set(plan["seconds_by_stage"]) == set(real["timings"]) == set(Stage)
    assert all(seconds > 0 for seconds in plan["seconds_by_stage"].values())


def test_words_that_the_model_does_not_know_are_named(clip: Path, blind: Path, virst: Virst):
    assert "does not know these words: zebra" in virst("segment", clip, "the zebra", "--model", blind).err


def test_the_embedded_model_says_what_it_is_for_and_how_to_get_the_real_one(
    clip: Path, blind: Path, virst: Virst, tmp_path: Path
):
    home = tmp_path / "home"
    shutil.copytree(blind, home / "models" / "virst-nano")
    done = virst("segment", clip, "the dog", "--model", "virst-nano", env={"VIRST_HOME": str(home)})
    assert "synthetic world" in done.err
    assert "virst weights pull" in done.err


def test_the_same_request_gives_the_same_masks(clip: Path, seeing: Path, virst: Virst, tmp_path: Path):
    for name in ("one", "two"):
        assert virst("segment", clip, "the dog", "--model", seeing, "-o", name).code == 0
    one, two = ((tmp_path / name / "clip.virst" / "masks.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two


def test_names_made_from_sentences_stay_in_the_run_folder(clip: Path, blind: Path, virst: Virst, tmp_path: Path):
    sentences = ["../../the dog", "the dog/cat", "CON", "🐕 the dog", "the dog " * 37]
    done = virst("segment", clip, *sentences, "--model", blind, "-o", "out", "-f", "mask-video", "-q")
    assert done.code == 3, done.err
    assert all(Path(path).parent == Path("out/clip.virst") for path in done.out.splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("name", ["-clip.mp4", "a b.mp4", 'it\'s "it".mp4', "http:clip.mp4", "concat:clip.mp4"])
def test_odd_names_are_plain_files(name: str, clip: Path, blind: Path, virst: Virst, tmp_path: Path):
    shutil.copy(clip, tmp_path / name)
    done = virst("segment", "--model", blind, "--start", "1.5", "-q", "--", name, "the dog")
    assert done.code == 3, done.err
    assert (tmp_path / done.out.splitlines()[0]).is_file()


def test_nothing_is_fetched_from_the_network(clip: Path, blind: Path, tmp_path: Path):
    program = """
import socket, sys

def refuse(self, address):
    raise AssertionError(f"a connection to {address}")

socket.socket.connect = socket.socket.connect_ex = refuse
from virst_cli.app import run
sys.exit(run(sys.argv[1:]))
"""
    command = [sys.executable, "-c", program, "segment", str(clip), "the dog", "--model", str(blind), "--end", "0.4", "-q"]
    done = subprocess.run(command, cwd=tmp_path, env=environment({}), capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
