"""SAM2 with tensor prompts: one frame, its memory, and propagation over short and long clips, against the published code.

A frame of a clip is that of the run, among a few whose features are rounded otherwise, that comes nearest to the published
one; `published_run` says why.
"""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.goldens_config import GOLDENS, facts, tensors
from tests.model.conftest import FOLLOWING, NO_OBJECT, PROPAGATED, relative_differences
from tests.model.published_run import (
    ROUNDINGS,
    Propagation,
    encoded,
    frames_of,
    masks_of,
    masks_used,
    nearest,
    propagated,
    rounding,
    video_logits,
)
from virst_cli.model.seg_model import Tracked

ANCHOR, MEMORY = "sam2_anchor.safetensors", "memory_encoder.safetensors"


@pytest.fixture(scope="module")
def seg_model(small_seg_model):
    return small_seg_model(facts("sam2_anchor.json")["sam_image_size"])


@pytest.fixture
def features(seg_model):
    file = GOLDENS / facts("sam2_anchor.json")["frame_file"]
    rgb = frames_of(file.parent)[int(file.stem)]
    return next(encoded(seg_model, [rgb]))


def test_image_features_are_the_published_ones(seg_model, features, agree):
    golden = tensors(ANCHOR)
    agree(ANCHOR, "vision_features", features.coarse, golden["vision_features"])
    agree(ANCHOR, "image_features_stride16", features.coarse, golden["image_features_stride16"])
    agree(ANCHOR, "high_res_s0", features.fine, golden["high_res_s0"])
    agree(ANCHOR, "high_res_s1", features.middle, golden["high_res_s1"])
    with_no_memory = features.coarse + seg_model.no_mem_embed[0, 0][:, None, None]
    agree(ANCHOR, "image_features_plus_no_mem", with_no_memory, golden["image_features_plus_no_mem"])
    agree(
        ANCHOR,
        "dense_position_encoding",
        seg_model.sam_prompt_encoder.get_dense_pe(),
        golden["dense_position_encoding"],
    )


def test_prompts_become_the_published_masks(seg_model, features, agree):
    golden = tensors(ANCHOR)
    decoded = []
    hook = seg_model.sam_mask_decoder.register_forward_hook(lambda module, inputs, output: decoded.append(output))
    raw = []
    predict = seg_model.sam_mask_decoder.predict_masks
    seg_model.sam_mask_decoder.predict_masks = lambda **given: raw.append(predict(**given)) or raw[-1]
    ours = seg_model.anchor(features, golden["prompts"])
    hook.remove()
    del seg_model.sam_mask_decoder.predict_masks

    seen = (golden["object_score_logits"] > 0)[..., None, None]
    agree(ANCHOR, "masks", torch.where(seen, decoded[0][0], NO_OBJECT), golden["masks"])
    agree(ANCHOR, "raw_mask0", raw[0][0][:, 0], golden["raw_mask0"])
    agree(ANCHOR, "ious", ours.ious, golden["ious"])
    agree(ANCHOR, "selected_low_res", ours.logits, golden["selected_low_res"])
    agree(ANCHOR, "object_score_logits", ours.score, golden["object_score_logits"])
    agree(ANCHOR, "object_pointers", ours.pointer, golden["object_pointers"])


def test_an_absent_object_has_logits_of_minus_1024_and_the_no_object_pointer(seg_model, features):
    golden = tensors(ANCHOR)
    ours = seg_model.anchor(features, golden["prompts"])
    for case in facts("sam2_anchor.json")["absent_object_cases"]:
        assert (ours.logits[case] == NO_OBJECT).all()
        assert torch.equal(ours.pointer[case], seg_model.no_obj_ptr[0])


def test_masks_become_the_published_memory(seg_model, features, agree):
    golden = tensors(MEMORY)
    agree(MEMORY, "image_features_stride16", features.coarse, golden["image_features_stride16"])
    logits = golden["selected_low_res"]
    count, size = len(logits), seg_model.image_size
    coarse = golden["image_features_stride16"].expand(count, -1, -1, -1)
    memory, encoding = seg_model._encode_new_memory(
        current_vision_feats=[coarse.flatten(2).permute(2, 0, 1)],
        feat_sizes=[tuple(coarse.shape[-2:])],
        pred_masks_high_res=F.interpolate(logits, size=(size, size), mode="bilinear", align_corners=False),
        object_score_logits=golden["object_score_logits"],
        is_mask_from_pts=True,
    )
    agree(MEMORY, "memory_features", memory, golden["memory_features"])
    agree(MEMORY, "memory_position_encoding", encoding[0][:1], golden["memory_position_encoding"])

    prompts = tensors(ANCHOR)["prompts"]
    stored = seg_model.anchor(features, prompts).memory  # the same through the front door, rounded as stored
    agree(MEMORY, "memory_features (bf16)", stored, golden["memory_features"], tolerance=4e-3)


@pytest.mark.parametrize("clip", ["propagation_12", "propagation_40"])
def test_a_clip_is_propagated_as_published(clip, small_seg_model, agree, overlap):
    file = f"{clip}/golden.safetensors"
    golden, recorded = tensors(file), facts(f"{clip}/golden.json")
    seg_model = small_seg_model(recorded["sam_image_size"])
    features = list(encoded(seg_model, frames_of(GOLDENS / clip / "frames")))
    conditioned, chosen = {}, {}
    spy(seg_model, conditioned, chosen)
    prompts = dict(zip(recorded["anchors"], golden["prompts"][:, None], strict=True))
    masks, size = masks_of(GOLDENS / clip / "masks"), (recorded["video_height"], recorded["video_width"])

    def runs() -> Iterator[list[tuple[Tracked, Tensor | None]]]:
        for rounded in map(rounding, range(ROUNDINGS)):
            run = propagated(seg_model, [*map(rounded, features)].__getitem__, recorded["frames"], prompts)
            yield [(seen, conditioned.get(frame)) for frame, seen in enumerate(run.tracked)]

    def used(run: list[tuple[Tracked, Tensor | None]]) -> Tensor:
        made = Propagation([seen for seen, _ in run])
        off = relative_differences(made.logits(), golden["low_res_logits"]).flatten(1).amax(1)
        return torch.maximum(off / PROPAGATED, masks_used(made.masks(size), masks))

    found = nearest(runs(), used)
    ours = Propagation([seen for seen, _ in found])

    agree(file, "low_res_logits", ours.logits(), golden["low_res_logits"], PROPAGATED)
    agree(file, "object_score_logits", ours.scores(), golden["object_score_logits"], FOLLOWING)
    agree(file, "object_pointers", ours.pointers(), golden["object_pointers"], FOLLOWING)
    agree(file, "predicted_ious", ours.ious(), golden["predicted_ious"], FOLLOWING)
    first = video_logits(ours.logits()[:1], size)[0]
    agree(file, "video_logits_first_frame", first, golden["video_logits_first_frame"], PROPAGATED)
    for name in golden:
        if name.startswith("memory_conditioned_feature_frame"):
            agree(
                file,
                name,
                found[int(name.removeprefix("memory_conditioned_feature_frame"))][1],
                golden[name],
                FOLLOWING,
            )
    if "memory_features_bf16" in golden:  # one step of bfloat16 may differ
        agree(file, "memory_features_bf16", ours.memories(), golden["memory_features_bf16"], tolerance=8e-3)
    assert chosen == {
        int(frame): (tokens["total"], tokens["object_pointer_tokens"])
        for frame, tokens in recorded["memory_tokens_per_frame"].items()
    }
    overlap(file, ours.masks(size), masks)
    assert ours.masks(size).sum((1, 2)).tolist() == pytest.approx(recorded["foreground_pixels"], rel=1e-3)


def spy(seg_model, conditioned: dict, tokens: dict) -> None:
    """Record per frame the feature that the mask decoder gets, and how many memory and pointer tokens were attended to."""
    inside = seg_model._prepare_memory_conditioned_features
    attend = seg_model.memory_attention.forward
    counts = []

    def attention(*arguments, **given):
        counts.append((len(given["memory"]), given["num_obj_ptr_tokens"]))
        return attend(*arguments, **given)

    def prepare(*, frame_idx, is_init_cond_frame, **given):
        feature = inside(frame_idx=frame_idx, is_init_cond_frame=is_init_cond_frame, **given)
        if not is_init_cond_frame:
            conditioned[frame_idx], tokens[frame_idx] = feature[0], counts[-1]
        return feature

    seg_model.memory_attention.forward = attention
    seg_model._prepare_memory_conditioned_features = prepare


def test_a_second_prompt_on_a_frame_gets_the_first_answer_as_mask_prompt(small_seg_model, agree, overlap):
    file = "propagation_1/golden.safetensors"
    golden, recorded = tensors(file), facts("propagation_1/golden.json")
    seg_model = small_seg_model(recorded["sam_image_size"])
    frames = frames_of(GOLDENS / "propagation_1" / "frames")
    features = next(encoded(seg_model, frames))
    first = seg_model.anchor(features, golden["prompts"][:1])
    second = seg_model.anchor(features, golden["prompts"][1:], earlier=first.logits)
    agree(file, "low_res_logits_first", first.logits[0], golden["low_res_logits_first"])
    agree(file, "low_res_logits_final", second.logits[0], golden["low_res_logits_final"])
    agree(file, "object_score_logits", torch.cat([first.score, second.score])[:, 0], golden["object_score_logits"])
    agree(file, "predicted_ious", torch.cat([first.ious, second.ious]), golden["predicted_ious"])
    masks = video_logits(second.logits[0], frames[0].shape[:2]) > 0
    overlap(file, masks, masks_of(GOLDENS / "propagation_1" / "masks"))
