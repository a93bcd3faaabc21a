"""Clips that several tests look at, made once."""

import pytest

from tests.video.making import FAST, SMALL, SOUND, Maker


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Two seconds of moving shapes with sound, as mp4, mkv and ts: 48 frames of 64x48 at 24000/1001 a second."""
    make = Maker(tmp_path_factory.mktemp("clips"))
    mp4 = make("clip.mp4", *SMALL, *SOUND, *FAST, "-g", "12", "-c:a", "aac", "-movflags", "+faststart")
    mkv = make("clip.mkv", "-i", str(mp4), "-c", "copy")
    ts = make("clip.ts", "-i", str(mp4), "-c", "copy")
    return {"mp4": mp4, "mkv": mkv, "ts": ts}
