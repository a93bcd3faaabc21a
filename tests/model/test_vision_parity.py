"""Pixels, vision tower and token merging against the published modules."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.goldens_config import GOLDENS, tensors, words
from virst_cli.model.pixels import to_square
from virst_cli.model.token_merging import merge_round, schedule
from virst_cli.model.vision_tower import position_table

TOWER, MERGING = "vision_tower.safetensors", "token_merging.safetensors"
FILTERS = {"vlm_448": False, "sam_fusion_1024": True, "sam_propagation_1024": False}  # bilinear or not


@pytest.mark.parametrize("picture", ["small", "large"])
@pytest.mark.parametrize("kind", FILTERS)
def test_frames_are_resized_with_the_published_filters(picture, kind, agree):
    file = "preprocessing/golden.safetensors"
    golden = tensors(file)
    with Image.open(GOLDENS / "preprocessing" / picture / "00000.jpg") as image:
        rgb = np.array(image.convert("RGB"))
    size = int(kind.rsplit("_", 1)[1])
    ours = to_square(rgb, size, bilinear=FILTERS[kind])
    middle = size // 2 - 16
    cuts = {"corner": ours[:, :32, :32], "centre": ours[:, middle : middle + 32, middle : middle + 32]}
    cuts |= {"end": ours[:, -32:, -32:], "channel_means": ours.mean((1, 2))}
    for name, cut in cuts.items():
        agree(file, f"{picture}.{kind}.{name}", cut, golden[f"{picture}.{kind}.{name}"])


@pytest.mark.parametrize(("clips", "kind"), [("clips", "video"), ("image", "image")])
def test_the_tower_sees_clips_and_single_images_as_published(clips, kind, model, agree):
    golden = tensors(TOWER)
    tower = model.vision.vision_tower
    frames = golden[clips].shape[1]
    agree(TOWER, f"position_table_{kind}", tower.positions(frames)[None], golden[f"position_table_{kind}"])
    agree(TOWER, f"{clips}_tokens", tower(golden[clips].float()), golden[f"{clips}_tokens"])


def test_the_position_table_starts_with_sine_0_cosine_0():
    table = position_table(frames=4, side=14, width=8)  # 14x14 is the table's own size: nothing is resized
    torch.testing.assert_close(table[0], torch.tensor([0.0, 1.0] * 4))
    torch.testing.assert_close(
        table[3 * 196 + 1, :2],
        torch.tensor([589.0]).sin().repeat(2) * torch.tensor([1.0, 0.0])
        + torch.tensor([589.0]).cos().repeat(2) * torch.tensor([0.0, 1.0]),
        atol=1e-4,
        rtol=0,
    )


@pytest.mark.parametrize("case", ["video_random", "video_clustered", "video_tower", "image_tower"])
def test_every_round_of_token_merging_gives_the_published_tokens_in_the_published_order(case, model, agree):
    golden = tensors(MERGING)
    projector = model.vision.mm_projector
    if f"{case}.input" in golden:
        per_frame = golden[f"{case}.input"]
        tokens = per_frame.flatten(0, 1)[None] if case.startswith("video") else per_frame
    else:
        tokens = tensors(TOWER)["clips_tokens"]
    recorded = words()["projector"]["removed_per_round_" + case.split("_")[0]]
    assert schedule(tokens.shape[1], projector.config.merged_tokens) == recorded
    assert projector.merge(tokens).shape[1] == projector.config.merged_tokens

    agree(MERGING, f"{case}.mlp_output", projector(tokens), golden[f"{case}.mlp_output"])
    sizes = tokens.new_ones(*tokens.shape[:2], 1)
    for number, remove in enumerate(recorded):
        tokens, sizes = merge_round(tokens, sizes, remove, projector.config.merging_heads)
        agree(MERGING, f"{case}.round{number}.tokens", tokens, golden[f"{case}.round{number}.tokens"])
        assert torch.equal(sizes, golden[f"{case}.round{number}.sizes"])
