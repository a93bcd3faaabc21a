"""What is said about calculations, compared with those that the modules do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.small_model import SMALL
from virst_cli.cost.operations import Operations, decoder_macs, encoder_macs, language_macs, tracking_macs, vision_macs
from virst_cli.cost.peak_memory import PROMPT_TOKENS
from virst_cli.model.config import CLIP_FRAMES, RECENT_FRAMES, VIRST_NANO, VirstConfig
from virst_cli.model.language import LanguageModel
from virst_cli.model.seg_model import SegModel
from virst_cli.model.virst import Vision
from virst_cli.stages import Stage
from virst_cli.tracking.frame_selection import Plan, split_into_chunks

both = pytest.mark.parametrize("config", [SMALL, VIRST_NANO], ids=lambda config: config.name)


@contextmanager
def counting() -> Iterator[FlopCounterMode]:
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter  # the fused attention of CPUs is not counted


def counted(work: Callable[[], object]) -> float:
    """Multiply-adds in matrix products, convolutions and attention."""
    with counting() as counter:
        work()
    return counter.get_total_flops() / 2


@both
def test_look(config: VirstConfig):
    vision = Vision(config).eval()
    side = config.vision.image_size
    assert vision_macs(config) == pytest.approx(counted(lambda: vision(torch.randn(CLIP_FRAMES, 3, side, side))), rel=0.25)


@both
def test_encode(config: VirstConfig):
    model = SegModel(config.segmentation).eval()
    side = config.segmentation.image_size
    assert encoder_macs(config) == pytest.approx(counted(lambda: model.encode(torch.randn(1, 3, side, side))), rel=0.25)


@both
def test_reason(config: VirstConfig):
    model = LanguageModel(config.language).eval()
    tokens = 8 // CLIP_FRAMES * config.vision.merged_tokens + 2 * PROMPT_TOKENS
    embeddings, mask = torch.randn(1, tokens, config.language.width), torch.ones(1, tokens, tokens, dtype=torch.bool).tril()
    work = counted(lambda: model(embeddings, torch.arange(tokens)[None], mask))
    assert language_macs(config, 8, 1) == pytest.approx(work, rel=0.25)


def test_anchor():
    config = SMALL
    model = SegModel(config.segmentation).eval()
    side = config.segmentation.image_size
    with torch.inference_mode():
        features = model.encode(torch.randn(1, 3, side, side))
    prompts = torch.randn(1, 10, config.segmentation.width)
    assert decoder_macs(config) == pytest.approx(counted(lambda: model.anchor(features, prompts)), rel=0.25)


def test_the_published_tracker_is_mostly_memory_attention():
    """At small sizes the mask decoder is most of it, which is left out: so the memory attention alone is compared."""
    config = SMALL
    model = SegModel(config.segmentation).eval()
    side = config.segmentation.image_size
    with torch.inference_mode():
        features = model.encode(torch.randn(1, 3, side, side))
        anchor = model.anchor(features, torch.randn(1, 10, config.segmentation.width))
    anchors, recent = {0: anchor, 30: anchor, 31: anchor}, dict.fromkeys(range(12 - RECENT_FRAMES, 12), anchor)
    with counting() as counter:
        model.propagate(features, 12, anchors, recent, 32)
    attention = sum(counter.flop_counts["MemoryAttention"].values()) / 2
    assert tracking_macs(config) == pytest.approx(attention, rel=0.25)


def test_a_longer_video_only_takes_more_tracking():
    def run(frames: int) -> dict[str, int]:
        plan = Plan.of(frames)
        return Operations(SMALL, frames, len(plan.lm_frames), split_into_chunks(frames, plan)).by_stage()

    short, long = run(100), run(200)
    assert {stage for stage in short if long[stage] > short[stage]} == {Stage.PROPAGATE}
