"""How far every stage of the model is from the goldens in each dtype, starting from golden inputs.

Parts are loaded and run as `Segmenter` does it: weights in the precision, but for the norms', under autocast. Whatever the
precision, tokens merge in float32, SAM2's coarse maps, masks' logits and object pointers come out as float32, and
memories are rounded to bfloat16, as published. test_dtypes_end_to_end.py goes from the pixels to the masks.

Two stages decide between things that are nearly equal, more nearly here than in a trained model: the weights are random.
Token merging decides which tokens are alike: rounded ones merge in another order, which is nearly all that `look` is off by.
Tracking takes one of three masks by their predicted IoU, and none where the object score is below 0: it may decide otherwise
where the published numbers are closer to each other, or to 0, than the limits below. The mask of such a frame is not compared.
A frame that is tracked is that of the run, among a few whose features are rounded otherwise, that comes nearest to the
published one; `published_run` says why.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.goldens_config import GOLDENS, facts, golden_config, tensors
from tests.model.published_run import (
    ROUNDINGS,
    Propagation,
    encoded,
    frame_ious,
    frames_of,
    masks_of,
    nearest,
    propagated,
    rounding,
)
from tests.model.test_fusion_parity import features
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.seg_model import FrameFeatures, SegModel, Tracked
from virst_cli.model.virst import pack
from virst_cli.segmenter.segmenter import Segmenter

# The mean difference relative to the mean size, or for masks 1 - IoU of the worst frame: about twice what was measured on a
# CPU. Float32 was measured at 0 to 2e-6; another CPU rounds otherwise.
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
BOUNDS = {
    "vision tower": (1e-5, 2e-3, 0.02),
    "token merging": (1e-5, 1e-5, 1e-5),
    "projector": (1e-5, 6e-3, 0.1),  # merging of tokens that the tower rounded, and the MLP
    "look": (1e-5, 0.05, 0.4),  # all of the above
    "initial fusion": (1e-5, 2e-3, 0.015),
    "language model": (1e-5, 8e-3, 0.06),
    "SegPrompter": (1e-5, 5e-3, 0.04),
    "image encoder": (1e-5, 4e-3, 0.03),
    "anchor's logits": (1e-5, 4e-3, 0.04),  # where something is seen
    "anchor's scores": (1e-5, 3e-3, 0.04),
    "anchor's masks": (1e-3, 6e-3, 0.05),
    "memory encoder": (1e-5, 1.5e-3, 0.01),
    "propagated scores": (0.01, 0.02, 0.2),
    "propagated masks": (1e-3, 0.04, 0.25),
    "which mask": (1e-3, 0.01, 0.1),  # between the best two predicted IoUs
    "seen or not": (0.01, 0.02, 0.1),  # between an object score and 0
}

each_precision = pytest.mark.parametrize("dtype", DTYPES, ids=str)
CASES = sorted(path.parent.name for path in (GOLDENS / "end_to_end").glob("short*/golden.json"))


def close(stage: str, ours: Tensor, golden: Tensor, precision: torch.dtype, comes_as: torch.dtype) -> None:
    assert ours.shape == golden.shape
    assert ours.dtype == comes_as, f"{stage} calculates in {ours.dtype}"
    golden = golden.float()
    within(stage, ((ours.float() - golden).abs().mean() / golden.abs().mean()).item(), precision)


def within(stage: str, off: float, precision: torch.dtype) -> None:
    allowed = BOUNDS[stage][DTYPES.index(precision)]
    assert off <= allowed, f"{stage} is off by {off:.2g} in {precision}, allowed {allowed:g}"


@pytest.fixture
def segmenter(dtype: torch.dtype, golden_folders: dict[bool, ModelFolder]) -> Segmenter:
    return Segmenter(golden_folders[True], device=torch.device("cpu"), dtype=dtype)


@pytest.fixture
def seg_model(segmenter: Segmenter, dtype: torch.dtype) -> Callable[[int], SegModel]:
    """SAM2 for images of the size of the set's module files; the whole model's has that of the end-to-end runs."""

    def made(image_size: int) -> SegModel:
        config = golden_config(image_size=image_size).segmentation
        folder = segmenter.parts.folder
        return folder.build(lambda: SegModel(config), "fusion.seg_model.", device="cpu", dtype=dtype).eval()

    return made


@each_precision
def test_look_agrees_with_the_goldens(dtype: torch.dtype, segmenter: Segmenter):
    golden, merging = tensors("vision_tower.safetensors"), tensors("token_merging.safetensors")
    with segmenter.parts.vision() as vision, segmenter.parts.autocast():
        for clips in ("clips", "image"):
            close("vision tower", vision.vision_tower(golden[clips].float()), golden[f"{clips}_tokens"], dtype, dtype)
        for case in ("video_random", "video_clustered", "video_tower"):
            given = merging.get(f"{case}.input")
            tokens = golden["clips_tokens"] if given is None else given.flatten(0, 1)[None]
            rounds = sum(name.startswith(f"{case}.round") and name.endswith(".tokens") for name in merging)
            merged = merging[f"{case}.round{rounds - 1}.tokens"]
            close("token merging", vision.mm_projector.merge(tokens), merged, dtype, torch.float32)
            close("projector", vision.mm_projector(tokens.to(dtype)), merging[f"{case}.mlp_output"], dtype, dtype)
        visual = vision(golden["clips"].float().flatten(0, 1))
    close("look", visual[None], tensors("inputs_embeds.safetensors")["visual_tokens"], dtype, dtype)


@each_precision
def test_fusions_agree_with_the_goldens(dtype: torch.dtype, segmenter: Segmenter):
    first, second = tensors("initial_fusion.safetensors"), tensors("seg_prompter.safetensors")
    with segmenter.parts.fusion() as fusion, segmenter.parts.autocast():
        for case in ("T2", "T12"):
            seg = fusion.fuse_seg_tokens(first[f"{case}.seg_embeds"][0].to(dtype), features(first, case)[0])
            close("initial fusion", seg[None], first[f"{case}.output"], dtype, dtype)
        for case in ("T1", "T4", "T8"):
            prompts = fusion.mask_prompts(second[f"{case}.seg_tokens"].to(dtype), features(second, case)[0])
            close("SegPrompter", prompts, second[f"{case}.output"], dtype, dtype)


@each_precision
@pytest.mark.parametrize("case", CASES)
def test_reason_agrees_with_the_goldens(case: str, dtype: torch.dtype, golden_folders: dict[bool, ModelFolder]):
    recorded, golden = facts(f"end_to_end/{case}/golden.json"), tensors(f"end_to_end/{case}/golden.safetensors")
    segmenter = Segmenter(golden_folders[recorded["initial_fusion"]], device=torch.device("cpu"), dtype=dtype)
    prompt = segmenter.prompt_builder.build(
        recorded["expression"], question=recorded["question_template"], answer=recorded["answer_template"]
    )
    seg = golden["fused_seg_embeddings"][0] if recorded["initial_fusion"] else None
    with segmenter.parts.language() as language, segmenter.parts.autocast():
        states = pack(golden["visual_tokens"][0].float(), [prompt], language.embed_tokens, seg).seg_states(language)
    close("language model", states, golden["seg_hidden_states"], dtype, dtype)


@each_precision
def test_anchors_agree_with_the_goldens(dtype: torch.dtype, segmenter: Segmenter, seg_model: Callable[[int], SegModel]):
    golden, recorded = tensors("sam2_anchor.safetensors"), facts("sam2_anchor.json")
    sam2, file = seg_model(recorded["sam_image_size"]), GOLDENS / recorded["frame_file"]
    with segmenter.parts.autocast():
        own = next(encoded(sam2, [frames_of(file.parent)[int(file.stem)]]))
        given = FrameFeatures(golden["high_res_s0"].to(dtype), golden["high_res_s1"].to(dtype), golden["vision_features"])
        tracked = sam2.anchor(given, golden["prompts"].to(dtype))
    for ours, name in zip(own, ("high_res_s0", "high_res_s1", "vision_features"), strict=True):
        close("image encoder", ours, golden[name], dtype, torch.float32 if name == "vision_features" else dtype)
    logits, scores = golden["selected_low_res"], golden["object_score_logits"]
    seen = scores[:, 0] > 0
    close("anchor's logits", tracked.logits[seen], logits[seen], dtype, torch.float32)
    close("anchor's scores", tracked.score, scores, dtype, dtype)
    assert torch.equal(tracked.score > 0, scores > 0)
    masks = frame_ious(tracked.logits[:, 0] > 0, logits[:, 0] > 0)
    within("anchor's masks", 1 - masks.min().item(), dtype)


@each_precision
def test_memories_agree_with_the_goldens(dtype: torch.dtype, segmenter: Segmenter, seg_model: Callable[[int], SegModel]):
    golden = tensors("memory_encoder.safetensors")
    sam2 = seg_model(facts("sam2_anchor.json")["sam_image_size"])
    logits = golden["selected_low_res"]
    coarse = golden["image_features_stride16"].expand(len(logits), -1, -1, -1)
    with segmenter.parts.autocast():
        memory, _ = sam2._encode_new_memory(
            current_vision_feats=[coarse.flatten(2).permute(2, 0, 1)],
            feat_sizes=[tuple(coarse.shape[-2:])],
            pred_masks_high_res=F.interpolate(logits, size=(sam2.image_size,) * 2, mode="bilinear", align_corners=False),
            object_score_logits=golden["object_score_logits"],
            is_mask_from_pts=True,
        )
    close("memory encoder", memory, golden["memory_features"], dtype, dtype)


@each_precision
@pytest.mark.parametrize("clip", ["propagation_12", pytest.param("propagation_40", marks=pytest.mark.slow)])
def test_propagated_masks_agree_with_the_goldens(
    clip: str, dtype: torch.dtype, segmenter: Segmenter, seg_model: Callable[[int], SegModel]
):
    golden, recorded = tensors(f"{clip}/golden.safetensors"), facts(f"{clip}/golden.json")
    sam2, prompts = seg_model(recorded["sam_image_size"]), golden["prompts"][:, None].to(dtype)
    shown, size = masks_of(GOLDENS / clip / "masks"), (recorded["video_height"], recorded["video_width"])
    scores, best = golden["object_score_logits"], golden["predicted_ious"].topk(2).values

    def off(run: Propagation) -> dict[str, Tensor]:
        """What every frame is off by, (L,)."""
        flipped = (run.scores() > 0) != (scores > 0)
        other = run.ious().argmax(1) != golden["predicted_ious"].argmax(1)
        return {
            "seen or not": scores.abs() * flipped,
            "which mask": (best[:, 0] - best[:, 1]) * other,
            "propagated masks": (1 - frame_ious(run.masks(size), shown)) * ~(flipped | other),
        }

    def used(tracked: list[Tracked]) -> Tensor:
        found = off(Propagation(tracked))
        return torch.stack([far / BOUNDS[stage][DTYPES.index(dtype)] for stage, far in found.items()]).amax(0)

    def runs() -> Iterator[list[Tracked]]:
        maps = list(encoded(sam2, frames_of(GOLDENS / clip / "frames")))
        of_anchor = dict(zip(recorded["anchors"], prompts, strict=True))
        for seed in range(ROUNDINGS):
            features = [*map(rounding(seed, dtype), maps)]
            yield propagated(sam2, features.__getitem__, recorded["frames"], of_anchor).tracked

    with segmenter.parts.autocast():
        ours = Propagation(nearest(runs(), used))
    close("propagated scores", ours.scores(), scores, dtype, dtype)
    for stage, far in off(ours).items():
        within(stage, far.max().item(), dtype)
