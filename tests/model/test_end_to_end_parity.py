"""Frames and a sentence in, masks out, against the published code: look, reason, fuse, anchor, propagate.

The frame choice, the positions of the fusion frames and the templates are given, because the published code draws them at
random.

The masks of a frame are those of the run, among a few whose features are rounded otherwise, that comes nearest to the
published ones; `published_run` says why.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tests.goldens_config import CHECKPOINT, GOLDENS, facts, tensors
from tests.model.conftest import END_TO_END, FOLLOWING, HALF, MODULES, relative_differences
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
)
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.model.pixels import to_square
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.seg_model import Tracked
from virst_cli.model.virst import Virst

pytestmark = pytest.mark.slow
CASES = sorted(path.parent.name for path in (GOLDENS / "end_to_end").glob("*/golden.json"))


@pytest.mark.parametrize("case", CASES)
def test_a_video_and_a_sentence_give_the_published_masks(case, load: Callable[..., Virst], agree, overlap):
    file, recorded = f"end_to_end/{case}/golden.safetensors", facts(f"end_to_end/{case}/golden.json")
    golden = tensors(file)
    model = load(initial_fusion=recorded["initial_fusion"])
    frames = frames_of(GOLDENS / recorded["frames_folder"])
    prompt = PromptBuilder(read_tokenizer(CHECKPOINT / "tokenizer")).build(
        recorded["expression"], question=recorded["question_template"], answer=recorded["answer_template"]
    )
    assert list(prompt.ids) == recorded["input_ids"]

    # look: the vision tower's frames are bicubic, the fusions' bilinear
    chosen = recorded["vlm_frame_indices_f"]
    size = model.config.vision.image_size
    visual_frames = torch.stack([to_square(frames[number], size) for number in chosen])
    fusion_frames = [frames[chosen[position]] for position in recorded["sam_positions_s"]]
    seg_model = model.fusion.seg_model
    coarse = torch.cat([features.coarse for features in encoded(seg_model, fusion_frames, bilinear=True)])
    stride = recorded["vision_features_stride"]
    visual = golden["visual_tokens"]
    agree(
        file,
        "visual_tokens",
        model.vision(visual_frames)[None],
        visual,
        HALF if visual.dtype == torch.half else MODULES,
    )
    strided = coarse[..., ::stride, ::stride]
    agree(file, "vision_features_strided", strided, golden["vision_features_strided"], HALF)

    # reason
    embeddings = model.language_model.embed_tokens(torch.full((10,), prompt.seg_token))
    agree(file, "seg_input_embeddings", embeddings[None], golden["seg_input_embeddings"])
    if recorded["initial_fusion"]:
        fused = model.fusion.fuse_seg_tokens(embeddings, coarse)
        agree(file, "fused_seg_embeddings", fused[None], golden["fused_seg_embeddings"])
    states = model.seg_states(visual_frames, [prompt], coarse)
    agree(file, "seg_hidden_states", states, golden["seg_hidden_states"])

    # fuse
    prompts = model.fusion.mask_prompts(states, coarse)  # 1,10,T,C
    anchor_prompts = prompts[:, :, recorded["anchor_time_indices_c"]]
    agree(file, "seg_prompter_output", prompts, golden["seg_prompter_output"])
    agree(file, "anchor_prompts", anchor_prompts, golden["anchor_prompts"])

    # anchor and propagate: bicubic again
    of_anchor = dict(zip(recorded["anchor_frames"], anchor_prompts.unbind(2), strict=True))
    low, masks = golden["low_res_logits_strided"], masks_of(GOLDENS / "end_to_end" / case / "masks")
    every, video_size = recorded["low_res_stride"], frames[0].shape[:2]
    features = list(encoded(seg_model, frames))

    def runs() -> Iterator[list[Tracked]]:
        for rounded in map(rounding, range(ROUNDINGS)):
            yield propagated(seg_model, [*map(rounded, features)].__getitem__, len(frames), of_anchor).tracked

    def used(tracked: list[Tracked]) -> Tensor:
        run = Propagation(tracked)
        off = relative_differences(run.logits()[:, ::every, ::every], low).flatten(1).amax(1)
        return torch.maximum(off / END_TO_END, masks_used(run.masks(video_size), masks))

    ours = Propagation(nearest(runs(), used))
    agree(file, "low_res_logits_strided", ours.logits()[:, ::every, ::every], low, END_TO_END)
    agree(file, "object_score_logits", ours.scores(), golden["object_score_logits"], FOLLOWING)
    agree(file, "object_pointers", ours.pointers(), golden["object_pointers"], FOLLOWING)
    agree(file, "predicted_ious", ours.ious(), golden["predicted_ious"], FOLLOWING)
    overlap(file, ours.masks(video_size), masks)
    assert ours.masks(video_size).sum((1, 2)).tolist() == pytest.approx(recorded["foreground_pixels"], rel=1e-3)
