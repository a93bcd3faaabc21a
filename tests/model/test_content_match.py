"""Content and place matching: the term that the SegPrompter of virst-nano adds to its attention."""

import pytest
import torch

from virst_cli.model.fusion import PLACE_COSINES, WHOLE, ContentMatch, cosines

FRAMES, SIDE, WIDTH, LANGUAGE = 6, 8, 16, 12
STATES = torch.zeros(1, 10, LANGUAGE)  # so that only biases speak


@pytest.fixture
def match() -> ContentMatch:
    """One that prefers nothing, with all parameters 0."""
    made = ContentMatch(WIDTH, LANGUAGE, count=2)
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    return made


def looked_at(match: ContentMatch, grids: torch.Tensor, span: tuple[float, float] = WHOLE) -> torch.Tensor:
    """Row and column that each frame's copy of the query is drawn to most, in its own frame: (T,2)."""
    with torch.no_grad():
        wanted = match(STATES, grids, span)[0].unflatten(1, (grids.shape[1], -1))  # T,T,cells
    own = torch.stack([wanted[t, t] for t in range(len(wanted))])
    assert wanted.sum() == pytest.approx(own.sum().item(), abs=1e-3)  # a place is one in the frame that is asked about
    return torch.stack([own.argmax(1) // SIDE, own.argmax(1) % SIDE], dim=1)


def go_there(match: ContentMatch, way: list[tuple[float, float, float]]) -> None:
    """Lets it want a place: for each function of time a row, a column and how much it counts."""
    down = cosines(SIDE, PLACE_COSINES)
    with torch.no_grad():
        for part, (row, column, weight) in zip(match.place.bias.view(2, -1), way, strict=True):
            part.copy_(weight * torch.outer(down[int(row)], down[int(column)]).flatten())


def test_it_prefers_nothing_before_training(match: ContentMatch):
    fresh = ContentMatch(WIDTH, LANGUAGE, count=2)
    assert not fresh.place.weight.any()
    assert not fresh.place.bias.any()
    grids = torch.rand(1, FRAMES, SIDE**2, WIDTH)
    assert match(STATES, grids, WHOLE).shape == (1, FRAMES, FRAMES * SIDE**2)
    assert not match(STATES, grids, WHOLE).any()


def test_a_place_is_looked_at_in_every_frame(match: ContentMatch):
    go_there(match, [(2, 5, 1.0), (0, 0, 0.0)])
    assert (looked_at(match, torch.rand(1, FRAMES, SIDE**2, WIDTH)) == torch.tensor([2, 5])).all()


def test_a_place_can_change_over_time_and_a_span_of_the_video_gets_its_own_part(match: ContentMatch):
    go_there(match, [(0, 0, 0.0), (6, 1, 1.0)])  # the second function of time is positive in the first half, then negative
    grids = torch.rand(1, FRAMES, SIDE**2, WIDTH)
    whole = looked_at(match, grids)
    assert (whole[: FRAMES // 2] == torch.tensor([6, 1])).all()
    assert (whole[FRAMES // 2 :] != torch.tensor([6, 1])).any(1).all()
    assert torch.equal(looked_at(match, grids[:, : FRAMES // 2], (0.0, 0.5)), whole[: FRAMES // 2])
    assert torch.equal(looked_at(match, grids[:, FRAMES // 2 :], (0.5, 1.0)), whole[FRAMES // 2 :])


def test_what_a_frame_shows_counts_wherever_it_is(match: ContentMatch):
    with torch.no_grad():
        match.key.weight.copy_(torch.eye(WIDTH))
        match.query.bias[:WIDTH] = torch.eye(WIDTH)[3]
    grids = torch.zeros(1, FRAMES, SIDE**2, WIDTH)
    grids[0, 4, 30, 3] = grids[0, 1, 9, 7] = 1.0
    with torch.no_grad():
        wanted = match(STATES, grids, WHOLE)[0]
    assert (wanted.argmax(1) == 4 * SIDE**2 + 30).all()  # for the copies of all frames: which is its own, rotary time tells
