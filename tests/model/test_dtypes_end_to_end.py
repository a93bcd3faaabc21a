"""bfloat16 from the pixels to the masks: `Segmenter`, faithful to the published code, against the published masks.

In float32 it gives them (tests/segmenter/test_published.py: IoU of every frame at least 0.999). bfloat16 can't promise that of
this set. Its weights are random: tokens that are nearly alike merge in another order (`look` in test_precision.py), so the
language model is shown something else, and three quarters of the object scores are within 0.4 of 0, where a mask is there or
not. So prompts and scores are compared as a whole, and masks by their mean IoU over a video, not frame by frame. What is due to
the merging shows the same run with the published visual tokens: its prompts are ten times as close. float16, for which CPUs have
no units, would take minutes here; test_precision.py bounds each of its stages.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.goldens_config import GOLDENS, facts, tensors
from tests.model.published_run import ROUNDINGS, frame_ious, frames_of, masks_of, rounded_otherwise
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.virst import Vision
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.tracking.frame_selection import Plan
from virst_cli.tracking.tracker import Tracker
from virst_cli.video.video import Frame

pytestmark = pytest.mark.slow
CASES = sorted(path.parent.name for path in (GOLDENS / "end_to_end").glob("short*/golden.json"))

# Mean difference of the anchors' prompts and of all object scores, relative to their mean size, and 1 - mean IoU of a video's
# masks: about twice what was measured on a CPU.
BOUNDS = {"own": (0.4, 0.6, 0.4), "published": (0.06, 0.3, 0.3)}  # by whose visual tokens the language model is shown
RUNS = [("own", CASES[0]), ("own", CASES[1]), ("published", CASES[0])]


class Watched(Segmenter):
    """Its visual tokens can be replaced by others (V,D)."""

    tokens: Tensor | None = None

    def _clip_tokens(self, vision: Vision, clip: list[Tensor]) -> Tensor:
        if self.tokens is None:
            return super()._clip_tokens(vision, clip)
        clip_tokens = self.tokens[: self.parts.config.vision.merged_tokens]
        self.tokens = self.tokens[len(clip_tokens) :]
        return clip_tokens.to(self.parts.dtype)


def off(ours: Tensor, golden: Tensor) -> float:
    assert ours.shape == golden.shape
    return ((ours.float() - golden).abs().mean() / golden.abs().mean()).item()


@pytest.mark.parametrize(("tokens", "case"), RUNS)
def test_bfloat16_stays_close_from_the_pixels_to_the_masks(
    tokens: str,
    case: str,
    golden_folders: dict[bool, ModelFolder],
    monkeypatch: pytest.MonkeyPatch,
):
    recorded, golden = facts(f"end_to_end/{case}/golden.json"), tensors(f"end_to_end/{case}/golden.safetensors")
    segmenter = Watched(
        golden_folders[recorded["initial_fusion"]], device=torch.device("cpu"), dtype=torch.bfloat16, faithful=True
    )
    plan = Plan(
        tuple(recorded["vlm_frame_indices_f"]),
        tuple(recorded["sam_positions_s"]),
        question=recorded["question_template"],
        answer=recorded["answer_template"],
    )
    asked: dict[int, list[Tensor]] = {}
    begin = Tracker.begin_chunk

    def begin_chunk(tracker: Tracker, features: object, prompts: dict[int, list[Tensor]]) -> None:
        asked.update(prompts)
        begin(tracker, features, prompts)

    monkeypatch.setattr(Tracker, "begin_chunk", begin_chunk)
    frames = [Frame(number, float(number), rgb) for number, rgb in enumerate(frames_of(GOLDENS / recorded["frames_folder"]))]
    published = masks_of(GOLDENS / "end_to_end" / case / "masks")
    tried = []
    for seed in range(ROUNDINGS):  # one run must meet all bounds
        if tokens == "published":
            segmenter.tokens = golden["visual_tokens"][0].float()
        with rounded_otherwise(seed, torch.bfloat16):
            answers = list(segmenter.stream(frames, [recorded["expression"]], expected=len(frames), plan=plan))
        prompts = torch.stack([asked[frame][0] for frame in recorded["anchor_frames"]], dim=2)
        scores = torch.tensor([answer.scores[0] for answer in answers])
        masks = torch.from_numpy(np.stack([answer.masks[0] for answer in answers]))
        found = (
            off(prompts, golden["anchor_prompts"]),
            off(scores, golden["object_score_logits"].flatten()),
            1 - frame_ious(masks, published).mean().item(),
        )
        if all(value <= allowed for value, allowed in zip(found, BOUNDS[tokens], strict=True)):
            return
        tried.append(found)
    pytest.fail(f"no run is within {BOUNDS[tokens]}: {tried}")
