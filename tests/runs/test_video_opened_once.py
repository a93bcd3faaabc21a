"""A run examines its video once, however many sentences are asked and however often its frames are read."""

from pathlib import Path

import pytest

from tests.video.making import FAST, SMALL, SOUND, Maker
from virst_cli.runs.export import RenderOptions, export_run
from virst_cli.runs.job import Job, Request
from virst_cli.runs.run import Run
from virst_cli.video.ffmpeg import Ffmpeg

SENTENCES = ["the dog", "the red ball", "all the birds"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds with sound."""
    return Maker(tmp_path)("clip.mp4", *SMALL, *SOUND, *FAST)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each ffmpeg was started for: probe, decode or encode."""
    kinds: list[str] = []
    real = Ffmpeg.__init__

    def noted(self: Ffmpeg, arguments: list[str], **options) -> None:
        kinds.append("probe" if "null" in arguments else "decode" if "rawvideo" in arguments else "encode")
        real(self, arguments, **options)

    monkeypatch.setattr(Ffmpeg, "__init__", noted)
    return kinds


def run(clip: Path, model: Path, output: Path, sentences: list[str], **options) -> Run:
    job = Job(Request(clip, sentences, output=output, model=str(model), device="cpu", **options))
    return Run(job)


@pytest.mark.parametrize("sentences", [SENTENCES[:1], SENTENCES], ids=len)
def test_a_run_examines_its_video_once(clip: Path, random_model: Path, started: list[str], tmp_path: Path, sentences: list[str]):
    run(clip, random_model, tmp_path, sentences, formats=["overlay", "png"]).segment()
    videos = len(sentences) + (len(sentences) > 1)  # one for each sentence, and one for all
    assert {kind: started.count(kind) for kind in set(started)} == {"probe": 1, "decode": 3, "encode": videos}


def test_a_part_of_a_video_and_its_renderings_later_take_one_look_each(
    clip: Path, random_model: Path, started: list[str], tmp_path: Path
):
    run(clip, random_model, tmp_path, SENTENCES, formats=["png"], start=0.5, end=1.5).segment()
    assert started.count("probe") == 1
    started.clear()
    export_run(tmp_path / "clip.virst", RenderOptions())
    assert (started.count("probe"), started.count("decode")) == (1, 1)
