"""The stream: what is shared between sentences, what is held, and how it goes on after an interruption. Weights are random."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from virst_cli.checkpoints.find import embedded
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.errors import SentenceError, UsageError
from virst_cli.model.config import POINTER_FRAMES, VIRST_NANO
from virst_cli.model.seg_model import FrameFeatures, SegModel
from virst_cli.segmenter.segmenter import Segmenter
from virst_cli.segmenter.tracking_pass import FrameResult, TrackingPass
from virst_cli.tracking.frame_selection import MAX_FUSION_FRAMES, Plan, split_into_chunks
from virst_cli.tracking.memory_bank import MemoryBank
from virst_cli.video.video import Frame
from virst_cli.world import make_clip

SENTENCES = ["the red dog", "all the birds", "the car that stops last"]


def segmenter(folder: Path, **options) -> Segmenter:
    return Segmenter(ModelFolder.open(folder), device=torch.device("cpu"), **options)


def clip(frames: int) -> list[np.ndarray]:
    return list(make_clip(5, frames=frames, size=(96, 80)).frames)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batch sizes of all calls of the image encoder."""
    calls: list[int] = []
    real = SegModel.encode

    def counted(self: SegModel, images: torch.Tensor) -> FrameFeatures:
        calls.append(len(images))
        return real(self, images)

    monkeypatch.setattr(SegModel, "encode", counted)
    return calls


@pytest.mark.parametrize("length", [1, 2, 7, 8, 20])
def test_every_frame_gets_masks_at_its_own_size(random_model, length):
    answers = list(segmenter(random_model).segment_frames(clip(length), SENTENCES))
    assert len(answers) == length
    assert all(masks.shape == (3, 80, 96) and masks.dtype == bool for masks in answers)


def test_sentences_asked_together_get_the_masks_they_get_alone(random_model):
    frames = clip(20)
    together = np.stack(list(segmenter(random_model).segment_frames(frames, SENTENCES)))
    for place, sentence in enumerate(SENTENCES):
        alone = np.stack(list(segmenter(random_model).segment_frames(frames, [sentence])))
        np.testing.assert_array_equal(together[:, place], alone[:, 0])


def test_sentences_asked_together_differ(random_model):
    states = []
    list(segmenter(random_model, chunk=20).segment_frames(clip(40), SENTENCES, keep_state=lambda _, state: states.append(state)))
    first, second, third = states[0]["seg_states"]
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


@pytest.mark.parametrize(("faithful", "extra"), [(False, 0), (True, 20)])
def test_each_frame_passes_the_image_encoder_once_whatever_the_number_of_sentences(random_model, encoded, faithful, extra):
    list(segmenter(random_model, faithful=faithful).segment_frames(clip(20), SENTENCES))
    assert encoded == [1] * (20 + extra)


def test_chunks_are_as_long_as_suits_the_model_unless_they_are_told(random_model):
    assert segmenter(random_model).chunk == 256
    assert segmenter(embedded()).chunk == VIRST_NANO.segmentation.chunk == 32
    assert segmenter(embedded(), chunk=64).chunk == 64


def test_each_frame_passes_the_image_encoder_once_in_several_chunks_too(random_model, encoded):
    list(segmenter(random_model, chunk=16).segment_frames(clip(70), ["the red dog"]))
    assert encoded == [1] * 70


def test_a_run_goes_on_from_any_chunk_as_if_it_had_not_stopped(random_model):
    frames, states = clip(50), {}
    model = segmenter(random_model, chunk=16)
    whole = list(model.segment_frames(frames, SENTENCES, keep_state=states.__setitem__))
    assert list(states) == [chunk.stop for chunk in split_into_chunks(50, Plan.of(50), 16)][:-1]
    for done, state in states.items():
        rest = list(segmenter(random_model, chunk=16).segment_frames(frames, SENTENCES, state=state))
        np.testing.assert_array_equal(np.stack(whole[done:]), np.stack(rest))


def test_a_container_that_claims_too_many_or_too_few_frames_changes_nothing(random_model):
    frames = [Frame(index, index / 10, rgb) for index, rgb in enumerate(clip(20))]

    def masks(expected: int | None) -> np.ndarray:
        return np.stack([answer.masks for answer in segmenter(random_model).stream(frames, ["a dog"], expected=expected)])

    for claimed in (None, 3, 19, 21, 500):
        np.testing.assert_array_equal(masks(claimed), masks(20))


def test_what_is_held_does_not_grow_with_the_video(random_model, monkeypatch: pytest.MonkeyPatch):
    held: Counter[str] = Counter()
    step = TrackingPass.propagate

    def watched(self: TrackingPass, frame: Frame) -> FrameResult:
        answer = step(self, frame)
        held["features"] = max(held["features"], len(self.cache))
        held["memory"] = max(held["memory"], len(self.tracker.memory))
        return answer

    monkeypatch.setattr(TrackingPass, "propagate", watched)
    list(segmenter(random_model, chunk=40).segment_frames(clip(200), ["the red dog"]))
    assert held["features"] <= MAX_FUSION_FRAMES
    assert held["memory"] <= 2 * MAX_FUSION_FRAMES // VIRST_NANO.segmentation.frames_per_anchor + POINTER_FRAMES


def test_the_memory_keeps_the_anchors_of_the_chunk_before():
    bank = MemoryBank()
    for start in (0, 100, 200):
        bank.begin_chunk({start: "tracked", start + 50: "tracked"})  # type: ignore[dict-item]
    assert list(bank.anchors) == [100, 150, 200, 250]


@pytest.mark.parametrize("sentence", ["", "  ", "the [SEG] dog", "<image>", "a <|im_end|> b", "a\x00b", "x" * 10_000])
def test_a_sentence_that_would_change_the_prompt_is_refused_before_anything_is_read(random_model, sentence):
    with pytest.raises(SentenceError):
        segmenter(random_model).segment("no-such-file.mp4", [sentence])


def test_no_sentence_is_an_error(random_model):
    with pytest.raises(UsageError):
        segmenter(random_model).segment_frames(clip(8), [])


def test_one_sentence_may_be_a_string_and_several_a_generator(random_model):
    model, frames = segmenter(random_model), clip(8)
    alone = np.stack(list(model.segment_frames(frames, SENTENCES[0])))
    np.testing.assert_array_equal(alone, np.stack(list(model.segment_frames(frames, [SENTENCES[0]]))))
    together = np.stack(list(model.segment_frames(frames, (sentence for sentence in SENTENCES))))
    assert together.shape[1] == len(SENTENCES)


FORK = """
import os, sys
import numpy as np, torch, virst_cli
torch.set_num_threads(2)
model = virst_cli.load("~/model", device="cpu")
frames = [np.zeros((64, 64, 3), np.uint8)] * 8
list(model.segment_frames(frames, "the dog"))
child = os.fork()
if not child:
    os._exit(len(list(model.segment_frames(frames, "the dog"))))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_can_use_the_model_and_the_home_folder_is_found(random_model, tmp_path):
    (tmp_path / "model").symlink_to(random_model)
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout == "8\n"
