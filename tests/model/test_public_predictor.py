"""Propagation is the public `sam2` video predictor's, bit for bit, where that can be made to take our prompts (spec section 11).

The golden sets leave room for rounding, and forty frames make much of a little; here there is none.
"""

import pytest
import torch
from sam2.sam2_video_predictor import SAM2VideoPredictor

from tests.goldens_config import GOLDENS, facts, golden_config, tensors
from tests.model.published_run import encoded, frames_of, propagated
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.seg_model import SegModel

CASE = "end_to_end/short_exp0_fusion_off"
FRAMES = 3  # an anchor, a frame that sees it alone, and one that sees a recent frame too


class Predictor(SegModel, SAM2VideoPredictor):
    """The public predictor's own bookkeeping over the same modules."""


@pytest.fixture
def predictor(golden_folders: dict[bool, ModelFolder]) -> Predictor:
    config = golden_config().segmentation
    return golden_folders[True].build(lambda: Predictor(config), "fusion.seg_model.", device="cpu", dtype=torch.float32).eval()


@pytest.fixture
def video(tmp_path):
    folder = GOLDENS / facts(f"{CASE}/golden.json")["frames_folder"]
    for number, path in enumerate(sorted(folder.glob("*.jpg"))[:FRAMES]):
        (tmp_path / f"{number:05}.jpg").write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the package's own
def test_logits_pointers_and_memory_equal_the_public_predictors(predictor, video, monkeypatch):
    prompt = tensors(f"{CASE}/golden.safetensors")["anchor_prompts"][:, :, 0]
    frames = frames_of(video)
    features = list(encoded(predictor, frames))
    ours = propagated(predictor, features.__getitem__, FRAMES, {0: prompt})

    attend = predictor.memory_attention.forward  # without autocast the package stops at its own bfloat16 memory
    monkeypatch.setattr(
        predictor.memory_attention, "forward", lambda **given: attend(**given | {"memory": given["memory"].float()})
    )
    state = predictor.init_state(str(video))
    target = predictor._obj_id_to_idx(state, 0)
    anchor, _ = predictor._run_single_frame_inference(
        inference_state=state,
        output_dict=state["output_dict_per_obj"][target],
        frame_idx=0,
        batch_size=1,
        is_init_cond_frame=True,
        point_inputs={"point_coords": prompt, "point_labels": torch.zeros(prompt.shape[:2], dtype=torch.int32)},
        mask_inputs=None,
        reverse=False,
        run_mem_encoder=False,
    )
    state["temp_output_dict_per_obj"][target]["cond_frame_outputs"][0] = anchor
    for _ in predictor.propagate_in_video(state, start_frame_idx=0):
        pass

    stored = state["output_dict_per_obj"][target]
    theirs = stored["cond_frame_outputs"] | stored["non_cond_frame_outputs"]
    for frame, seen in enumerate(ours.tracked):
        assert torch.equal(seen.logits, theirs[frame]["pred_masks"])
        assert torch.equal(seen.score, theirs[frame]["object_score_logits"])
        assert torch.equal(seen.pointer, theirs[frame]["obj_ptr"])
        assert torch.equal(seen.memory, theirs[frame]["maskmem_features"].float())
