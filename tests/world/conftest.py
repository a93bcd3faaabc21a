"""Clips that several tests look at, drawn once."""

import pytest

from virst_cli.world import Clip, make_clip


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """400 training clips: 8 frames of 128x128."""
    return [make_clip(seed) for seed in range(400)]


@pytest.fixture(scope="session")
def long_clips() -> list[Clip]:
    """Small clips of 40 frames."""
    return [make_clip(seed, frames=40, size=(64, 48)) for seed in range(60)]
