"""virst batch: many videos, some of which fail, are finished already, or were interrupted."""

import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.batch.clips import write_clip
from tests.commands.conftest import FRAMES, Virst
from tests.commands.running import Running, Zygote, environment, ffmpegs_of, lives, until
from tests.commands.test_interrupted import frames_in
from virst_cli.outputs.record import Record

FAST = ("-f", "mask-video")
CHUNKS = ("--chunk", "16", *FAST)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos, two of them with the same name, and a file that is not a video."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("one.mp4", "two.mp4", "a/clip.mp4", "b/clip.mp4")):
        write_clip(folder / name, seed=seed)
    (folder / "bad.mp4").write_text("This is not a video.\n" * 100)
    return folder


def jobs_file(folder: Path, *rows: tuple[str | Path, str]) -> Path:
    with (folder / "jobs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("video", "text"), *rows])
    return folder / "jobs.csv"


def test_a_video_is_one_run_with_all_its_sentences_and_the_masks_are_those_of_segment(
    videos: Path, seeing: Path, virst: Virst, tmp_path: Path
):
    rows = [(videos / "one.mp4", "the dog"), (videos / "a" / "clip.mp4", "the cat, not the dog"), (videos / "one.mp4", "a bird")]
    jobs_file(tmp_path, *rows)
    done = virst("batch", "jobs.csv", "--model", seeing, "-o", "out", "-f", "mask-video,png")
    assert done.code == 0, done.err
    assert "out/one.virst/a-bird.mask.mp4" in done.out.splitlines()
    assert all((tmp_path / path).exists() for path in done.out.splitlines())
    assert Record.open(tmp_path / "out" / "one.virst").sentences == ("the dog", "a bird")
    alone = virst("segment", videos / "one.mp4", "the dog", "a bird", "--model", seeing, "-o", "alone", *FAST)
    assert alone.code == 0, alone.err
    for name in ("masks.jsonl", "the-dog.mask.mp4"):
        assert (tmp_path / "out" / "one.virst" / name).read_bytes() == (tmp_path / "alone" / "one.virst" / name).read_bytes()
    one, clip = (line.split() for line in done.err.splitlines()[-3:-1])
    assert one[1:4] == ["2", "2", "4"]
    assert clip[1:4] == ["1", "1", "4"]


def test_jsonl_relative_paths_and_videos_of_one_name(videos: Path, blind: Path, virst: Virst, tmp_path: Path):
    shutil.copytree(videos, tmp_path / "videos")
    lines = [{"video": "a/clip.mp4", "text": "the dog"}, {"video": "b/clip.mp4", "text": "the dog"}]
    (tmp_path / "videos" / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = virst("batch", "videos/jobs.jsonl", "--model", blind, "--json", "-q", *FAST)
    assert (done.code, done.err) == (0, ""), "a video in which nothing is found has not failed"
    answer = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["schema_version"], one["run"], one["found"], one["error"]) for one in answer] == [
        (1, "a-clip.virst", False, None),
        (1, "b-clip.virst", False, None),
    ]
    assert answer[0]["video"]["path"] == str(tmp_path / "videos" / "a" / "clip.mp4")
    assert all((tmp_path / path).exists() for one in answer for path in one["files"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-clip.virst", "b-clip.virst", "videos"]


def test_a_video_that_fails_does_not_stop_the_others(videos: Path, seeing: Path, virst: Virst, tmp_path: Path):
    jobs_file(tmp_path, (videos / "bad.mp4", "the dog"), (videos / "one.mp4", "the [dog]"))
    done = virst("batch", "jobs.csv", "--model", seeing, "--json", *FAST)
    assert done.code == 1
    assert done.error == "virst: error: 1 of 2 videos failed"
    bad, one = (json.loads(line) for line in done.out.splitlines())
    assert "bad.mp4: not a video" in bad["error"]
    assert (bad["found"], bad["files"]) == (False, [])
    assert (one["found"], one["error"]) == (True, None)
    (row,) = [line for line in done.err.splitlines() if line.strip().startswith(str(videos / "bad.mp4"))]
    assert bad["error"] in row
    assert not (tmp_path / "bad.virst").exists()


def test_fail_fast_stops_at_the_first_failure(videos: Path, seeing: Path, virst: Virst, tmp_path: Path):
    jobs_file(tmp_path, (videos / "bad.mp4", "the dog"), (videos / "one.mp4", "the dog"))
    done = virst("batch", "jobs.csv", "--model", seeing, "--fail-fast", "-q")
    assert (done.code, done.out) == (1, "")
    assert done.error == "virst: error: 1 of 2 videos failed; 1 not finished because of --fail-fast"
    assert "bad.mp4: not a video" in done.err, "the table is shown after failures, --quiet or not"
    assert not (tmp_path / "one.virst").exists()


def test_with_strict_a_truncated_video_has_failed(seeing: Path, virst: Virst, tmp_path: Path):
    from tests.video.making import FAST as ENCODING
    from tests.video.making import Maker

    whole = Maker(tmp_path)("cut.mkv", "-f", "lavfi", "-i", "testsrc2=size=48x32:rate=8:duration=2", *ENCODING)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    jobs_file(tmp_path, ("cut.mkv", "the dog"))
    done = virst("batch", "jobs.csv", "--model", seeing, *FAST)
    assert done.code == 0, done.err
    assert "warning: " in done.err
    strict = virst("batch", "jobs.csv", "--model", seeing, "--strict", "--json", *FAST)
    assert strict.code == 1
    answer = json.loads(strict.out)
    assert answer["error"] == answer["warning"]
    assert "is truncated" in answer["error"]


def test_finished_videos_are_not_redone_without_overwrite(videos: Path, seeing: Path, virst: Virst, tmp_path: Path):
    jobs_file(tmp_path, (videos / "one.mp4", "the dog"))
    assert virst("batch", "jobs.csv", "--model", seeing, *FAST).code == 0
    run = tmp_path / "one.virst" / "run.json"
    before = run.read_bytes()
    jobs_file(tmp_path, (videos / "one.mp4", "the dog"), (videos / "a" / "clip.mp4", "the dog"))
    again = virst("batch", "jobs.csv", "--model", seeing, "--json", *FAST)
    assert again.code == 0, again.err
    assert [json.loads(line)["frames"] for line in again.out.splitlines()] == [4, 4]
    assert run.read_bytes() == before
    jobs_file(tmp_path, (videos / "one.mp4", "the cat"))
    changed = virst("batch", "jobs.csv", "--model", seeing, *FAST)
    assert changed.code == 1
    assert "one.virst holds a finished run of another video, sentence, model or setting" in changed.err
    assert run.read_bytes() == before
    assert virst("batch", "jobs.csv", "--model", seeing, "--overwrite", *FAST).code == 0
    assert Record.open(tmp_path / "one.virst").sentences == ("the cat",)


@pytest.fixture
def halfway(videos: Path, clip: Path, seeing: Path, zygote: Zygote, tmp_path: Path) -> Running:
    """A batch that has done its first video, and passed the end of the second one's first chunk (of three)."""
    jobs_file(tmp_path, (videos / "one.mp4", "the dog"), (clip, "the dog"), (videos / "two.mp4", "the dog"))
    running = zygote.start("batch", "jobs.csv", "--model", seeing, *CHUNKS, cwd=tmp_path)
    until(lambda: frames_in(tmp_path / "clip.virst") >= 20, "20 frames of the second video")
    running.send(signal.SIGSTOP)
    assert frames_in(tmp_path / "clip.virst") < FRAMES, "the run is too fast to be interrupted"
    return running


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_in_two_seconds_without_orphans_and_keeps_what_is_done(
    number: signal.Signals, code: int, halfway: Running, tmp_path: Path
):
    children = ffmpegs_of(halfway.pid)
    assert children
    start_time = time.monotonic()
    halfway.send(number)
    halfway.send(signal.SIGCONT)
    done = halfway.wait()
    assert time.monotonic() - start_time < 2
    assert done.code == code
    assert done.error == "virst: error: interrupted; --resume continues where it stopped"
    assert not [child for child in children if lives(child)]
    left = sorted(path.name for path in (tmp_path / "clip.virst").iterdir())
    assert left == ["masks.jsonl.partial", "run.json.partial", "state.safetensors"]
    assert (tmp_path / "one.virst" / "run.json").exists()


def test_after_kill_9_the_next_batch_continues_and_gives_the_same_masks(
    halfway: Running, seeing: Path, virst: Virst, tmp_path: Path
):
    halfway.send(signal.SIGKILL)
    halfway.wait()
    first = (tmp_path / "one.virst" / "run.json").read_bytes()
    done = virst("batch", "jobs.csv", "--model", seeing, *CHUNKS)
    assert done.code == 0, done.err
    assert (tmp_path / "one.virst" / "run.json").read_bytes() == first
    assert virst("batch", "jobs.csv", "--model", seeing, *CHUNKS, "-o", "whole").code == 0
    for name in ("one.virst", "clip.virst", "two.virst"):
        here, whole = (folder / name / "masks.jsonl" for folder in (tmp_path, tmp_path / "whole"))
        assert here.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no jobs"),
        ("path,text\none.mp4,the dog\n", "no column video"),
        ("video,text\none.mp4,the dog\nno.mp4,the dog\n", "line 3: no.mp4 does not exist"),
        ("video,text\none.mp4,the [SEG] dog\n", "line 2: the sentence contains [seg]"),
    ],
)
def test_a_bad_jobs_file_is_refused_in_one_line_before_any_work(
    content: str, said: str, videos: Path, seeing: Path, virst: Virst, tmp_path: Path
):
    shutil.copy(videos / "one.mp4", tmp_path)
    (tmp_path / "jobs.csv").write_text(content)
    done = virst("batch", "jobs.csv", "--model", seeing, "-o", "out")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.error
    assert "jobs.csv" in done.error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--engine", "spark"], 2, "spark"),
        (["--workers", "2"], 2, "add --engine ray"),
        (["--engine", "ray", "--workers", "0"], 2, "--workers"),
        (["--engine", "ray", "--device", "cuda:1"], 2, "--device cuda"),
        (["--format", "gif"], 2, "gif"),
        (["--chunk", "0"], 2, "--chunk"),
        (["--device", "abacus"], 2, "--device cpu"),
        (["--model", "virst-7b"], 4, "virst weights pull virst-7b"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_before_any_work(
    options: list[str], code: int, said: str, videos: Path, seeing: Path, virst: Virst, tmp_path: Path
):
    jobs_file(tmp_path, (videos / "one.mp4", "the dog"))
    done = virst("batch", "jobs.csv", "--model", seeing, "-o", "out", "-q", *options)
    assert (done.code, done.out) == (code, "")
    assert said in done.error
    assert not (tmp_path / "out").exists()


def test_without_ray_the_error_says_how_to_get_it(videos: Path, seeing: Path, tmp_path: Path):
    jobs_file(tmp_path, (videos / "one.mp4", "the dog"))
    program = "import sys; sys.modules['ray'] = None; from virst_cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "batch", "jobs.csv", "--engine", "ray", "--model", str(seeing)]
    done = subprocess.run(command, cwd=tmp_path, env=environment({}), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "virst: error: --engine ray needs Ray, which is not installed: pip install 'virst[cluster]'\n"


def test_on_a_terminal_there_are_bars_and_every_line_stays(videos: Path, seeing: Path, tmp_path: Path):
    jobs_file(tmp_path, ("one.mp4", "the dog"))
    shutil.copy(videos / "one.mp4", tmp_path)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "virst_cli", "batch", "jobs.csv", "--model", str(seeing), *FAST]
    with subprocess.Popen(command, cwd=tmp_path, env=environment({"TERM": "xterm"}), stdout=theirs, stderr=theirs) as batch:
        os.close(theirs)
        shown = b""
        with suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123  at its end, a terminal is an error
            while more := terminal.read(4096):
                shown += more
    assert batch.returncode == 0, shown
    for said in ("videos", "propagate", "[1/1] one.mp4: 4 frames, 1 of 1 found", "one.virst/run.json\r\n", "sentences"):
        assert said.encode() in shown


def test_a_bug_shows_its_traceback_only_when_asked_for(videos: Path, seeing: Path, virst: Virst, tmp_path: Path):
    jobs_file(tmp_path, (videos / "bad.mp4", "the dog"))
    assert "Traceback" not in virst("batch", "jobs.csv", "--model", seeing).err
    assert "Traceback" in virst("batch", "jobs.csv", "--model", seeing, env={"VIRST_DEBUG": "1"}).err
    assert os.environ.get("VIRST_DEBUG") is None
