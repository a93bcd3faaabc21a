"""The segmenter: video and sentences in, a stream of masks out, in the model's five steps.

    look       the vision tower sees frames of the whole video         once per video
    reason     the language model reads them and all sentences         once per video
    fuse       [SEG] states and SAM 2's features become mask prompts   once per chunk
    anchor     prompts become masks of anchor frames                   once per chunk
    propagate  memory attention finds the masks of every other frame   once per frame

The video is read three times: by the vision tower, one chunk ahead for the fusion frames, and to track. Decoding is cheap and
memory is not: no more than the features of a chunk's fusion frames are held (see `feature_cache`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from virst_cli.checkpoints.manifest import weight_sums
from virst_cli.checkpoints.sizes import is_small
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.residency import Residency
from virst_cli.errors import UsageError, VideoError
from virst_cli.machine.devices import device_name
from virst_cli.machine.out_of_memory import naming_stage
from virst_cli.model.config import CLIP_FRAMES, SEG_TOKENS
from virst_cli.model.pixels import to_square
from virst_cli.model.prompt import Prompt
from virst_cli.model.virst import Vision, pack
from virst_cli.segmenter.feature_cache import FeatureCache
from virst_cli.segmenter.parts import ModelParts
from virst_cli.segmenter.tracking_pass import FrameResult, ResumeState, TrackingPass
from virst_cli.stages import OnProgress, Stage, ignore_progress
from virst_cli.tracking.frame_selection import Chunk, Plan, split_into_chunks
from virst_cli.video.video import Frame, Video, VideoRange

KeepState = Callable[[int, ResumeState], None]
"""Called at the end of every chunk but the last, with the number of frames done and what is needed to continue from there."""


class Segmenter:
    """A model that segments videos. `virst_cli.load()` makes one."""

    def __init__(
        self,
        folder: ModelFolder,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        chunk: int | None = None,
        faithful: bool = False,
        residency: Residency = Residency.EVERYTHING,
    ) -> None:
        """folder: of the model.

        device, dtype: where and in which precision it calculates.
        chunk: frames that share anchors; None for what suits the model.
        faithful: resize fusion frames as the published code does, which encodes them twice.
        residency: which parts stay in memory between their uses.
        """
        self.parts = ModelParts(folder, device=device, dtype=dtype, residency=residency)
        self.prompt_builder = folder.prompt_builder
        self.chunk = chunk or folder.config.segmentation.chunk
        self.faithful = faithful

    @property
    def name(self) -> str:
        """The model's name, such as `virst-nano`."""
        return self.parts.config.name

    def made_by(self) -> dict[str, Any]:
        """All that masks depend on besides video and sentences, as records hold it: `model` (name, sha256) and `settings`."""
        parts = self.parts
        settings = {
            "device": device_name(parts.device),  # with a GPU's product name: another one rounds differently
            "dtype": str(parts.dtype).removeprefix("torch."),
            "chunk": self.chunk,
            "faithful": self.faithful,
        }
        return {"model": {"name": self.name, "sha256": weight_sums(parts.folder.path)}, "settings": settings}

    def segment(
        self,
        video: str | Path | Video,
        sentences: str | Iterable[str],
        *,
        start: float = 0.0,
        end: float | None = None,
        plan: Plan | None = None,
        on_progress: OnProgress = ignore_progress,
        state: ResumeState | None = None,
        keep_state: KeepState | None = None,
    ) -> Iterator[FrameResult]:
        """Masks of a video for every sentence, frame by frame, as they are done.

        video: a file or a folder of frames, or a `Video` that is open already.
        sentences: one referring expression or several; they are answered in one pass.
        start, end: the part of the video, in seconds.

        The other parameters are those of `stream`.
        Raises SentenceError and VideoError before the first frame.
        """
        prompts = self._prompts(sentences, plan)  # before the file is touched
        if not isinstance(video, Video):
            video = Video.open(Path(video).expanduser())
        frames = VideoRange(video, start, end)
        return self._stream(frames, prompts, plan, frames.expected, on_progress, state, keep_state)

    def segment_frames(
        self,
        frames: Sequence[np.ndarray],
        sentences: str | Iterable[str],
        *,
        plan: Plan | None = None,
        on_progress: OnProgress = ignore_progress,
        state: ResumeState | None = None,
        keep_state: KeepState | None = None,
    ) -> Iterator[np.ndarray]:
        """Masks (n, H, W) bool of n sentences for each picture of a sequence.

        frames: (H, W, 3) uint8 each; the sequence is read up to three times, picture by picture.

        The other parameters are those of `stream`.
        """
        results = self.stream(
            _NumberedFrames(frames), sentences, expected=len(frames), plan=plan, on_progress=on_progress, state=state,
            keep_state=keep_state,
        )  # fmt: skip
        return (result.masks for result in results)

    def stream(
        self,
        frames: Iterable[Frame],
        sentences: str | Iterable[str],
        *,
        expected: int | None = None,
        plan: Plan | None = None,
        on_progress: OnProgress = ignore_progress,
        state: ResumeState | None = None,
        keep_state: KeepState | None = None,
    ) -> Iterator[FrameResult]:
        """Masks of any frames that can be iterated more than once; `segment` and `segment_frames` end up here.

        frames: of the video, numbered from 0.
        sentences: one referring expression or several.
        expected: how many frames there are, if that is known; a wrong number only costs a second look.
        plan: frames and prompt templates to use instead of the usual ones.
        on_progress: called with a stage, how much of it is done, and how much there is.
        state: what `keep_state` got from an interrupted run; results start where it stopped, and are the same as without a stop.
        keep_state: see `KeepState`.
        Raises SentenceError at once, and UsageError or VideoError before the first result.
        """
        return self._stream(frames, self._prompts(sentences, plan), plan, expected, on_progress, state, keep_state)

    def _prompts(self, sentences: str | Iterable[str], plan: Plan | None) -> list[Prompt]:
        sentences = [sentences] if isinstance(sentences, str) else list(sentences)
        if not sentences:
            raise UsageError('no sentence given; say what to find, for example "the dog that jumps last"')
        templates = {"question": plan.question, "answer": plan.answer} if plan else {}
        return [self.prompt_builder.build(sentence, **templates) for sentence in sentences]

    def _stream(
        self,
        frames: Iterable[Frame],
        prompts: Sequence[Prompt],
        plan: Plan | None,
        expected: int | None,
        on_progress: OnProgress,
        state: ResumeState | None,
        keep_state: KeepState | None,
    ) -> Iterator[FrameResult]:
        config = self.parts.config
        during = partial(naming_stage, remedies=self._memory_hints(len(prompts)))
        if state is None:
            with during(Stage.LOOK):
                visual, length, plan = self._look(frames, plan, expected, on_progress)
        else:
            length = int(state["length"])
            plan = plan or Plan.of(length, config.vision.frames)
        chunks = split_into_chunks(length, plan, self.chunk, config.segmentation.frames_per_anchor)
        cache = FeatureCache(frames, self.parts, faithful=self.faithful)
        if state is None:
            with during(Stage.FUSE):
                seg_embeddings = self._fuse_seg_tokens(frames, plan, chunks, cache, on_progress)
            with during(Stage.REASON):
                seg_states = self._reason(visual, prompts, seg_embeddings, on_progress)
            first = 0
        else:
            seg_states, first = state["seg_states"].to(self.parts.device), int(state["next"])
        with ExitStack() as loaded:
            with during(Stage.FUSE):
                fusion = loaded.enter_context(self.parts.fusion())
            tracking = TrackingPass(self.parts, fusion, cache, seg_states, length, on_progress)
            if state is not None:
                tracking.restore(state)
            reader = iter(frames)
            for chunk in chunks:
                if chunk.start < first:
                    continue
                with during(Stage.FUSE):
                    mask_prompts = tracking.fuse(chunk)
                with during(Stage.ANCHOR):
                    tracking.anchor(chunk, mask_prompts)
                for frame in _frames_of(chunk, reader):
                    with during(Stage.PROPAGATE):
                        result = tracking.propagate(frame)
                    yield result
                if keep_state is not None and chunk.stop < length:
                    keep_state(chunk.stop, tracking.state(chunk.stop))

    # --- look ------------------------------------------------------------------------------------------------

    def _look(
        self, frames: Iterable[Frame], chosen: Plan | None, expected: int | None, on_progress: OnProgress
    ) -> tuple[Tensor, int, Plan]:
        """Visual tokens (V, D) of the plan's frames, the true number of frames, and the plan.

        The file may claim a wrong number of frames; then the plan is made anew from the true one, and its frames are looked at.
        """
        length = expected or sum(1 for _ in frames)
        while length:
            plan = chosen or Plan.of(length, self.parts.config.vision.frames)
            visual, counted = self._visual_tokens(frames, plan, on_progress)
            if visual is not None and (chosen or counted == length):
                return visual, counted, plan
            if chosen:
                raise UsageError(f"the plan names frame {max(chosen.lm_frames)}, but the video has {counted} frames")
            length = counted
        raise VideoError("the range asked for holds no frame; check --start and --end")

    def _visual_tokens(self, frames: Iterable[Frame], plan: Plan, on_progress: OnProgress) -> tuple[Tensor | None, int]:
        """Visual tokens (V, D) of the plan's frames, or None where the video ended before; and how many frames it has."""
        size, wanted, clip, tokens, length = self.parts.config.vision.image_size, list(plan.lm_frames), [], [], 0
        on_progress(Stage.LOOK, 0, len(wanted))
        with self.parts.vision() as vision:
            for frame in frames:
                length = frame.index + 1
                repeats = wanted.count(frame.index)
                if repeats:
                    clip += [to_square(frame.rgb, size)] * repeats
                    while len(clip) >= CLIP_FRAMES:
                        tokens.append(self._clip_tokens(vision, clip[:CLIP_FRAMES]))
                        clip = clip[CLIP_FRAMES:]
                        on_progress(Stage.LOOK, len(tokens) * CLIP_FRAMES, len(wanted))
        complete = tokens and len(tokens) * CLIP_FRAMES == len(wanted)
        return torch.cat(tokens) if complete else None, length

    @torch.inference_mode()
    def _clip_tokens(self, vision: Vision, clip: list[Tensor]) -> Tensor:
        with self.parts.autocast():
            tokens: Tensor = vision(torch.stack(clip).to(self.parts.device))
            return tokens

    # --- reason ----------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _fuse_seg_tokens(
        self, frames: Iterable[Frame], plan: Plan, chunks: Sequence[Chunk], cache: FeatureCache, on_progress: OnProgress
    ) -> Tensor | None:
        """[SEG] embeddings (10, D) that have seen the plan's fusion frames; None for a model without the first fusion.

        In a video of one chunk these are the chunk's fusion frames too, so their features stay in the cache.
        """
        if not self.parts.config.segmentation.initial_fusion:
            return None
        anchors = [frame for _, frame in chunks[0].anchors] if len(chunks) == 1 else []
        own = cache if len(chunks) == 1 else FeatureCache(frames, self.parts, faithful=self.faithful)
        with self.parts.fusion() as fusion, self.parts.autocast():
            own.read_fusion_frames(plan.fusion_frames, anchors, fusion.seg_model, on_progress)
            tokens = self.parts.embedded([self.prompt_builder.seg_token] * SEG_TOKENS)
            return fusion.fuse_seg_tokens(tokens, own.coarse_maps(plan.fusion_frames))

    @torch.inference_mode()
    def _reason(
        self, visual: Tensor, prompts: Sequence[Prompt], seg_embeddings: Tensor | None, on_progress: OnProgress
    ) -> Tensor:
        """[SEG] states (n, 10, D) of all sentences, in one pass through the layers."""
        layers = self.parts.config.language.layers
        on_progress(Stage.REASON, 0, layers)
        with self.parts.language(lambda done: on_progress(Stage.REASON, done, layers)) as language, self.parts.autocast():
            states = pack(visual, prompts, language.embed_tokens, seg_embeddings).seg_states(language)
        on_progress(Stage.REASON, layers, layers)
        return states

    def _memory_hints(self, sentences: int) -> list[str]:
        """What a user can do when memory runs out, as far as it has not been done yet."""
        parts, hints = self.parts, []
        if parts.residency is not Residency.NOTHING and not is_small(parts.folder.path):
            hints.append("--max-memory SIZE (weights then stay only as far as it allows)")
        if parts.dtype == torch.float32:
            hints.append("--dtype bfloat16")
        if sentences > 1:
            hints.append("fewer sentences at once")
        return [*hints, "--device cpu" if parts.device.type != "cpu" else "a smaller --model"]


def _frames_of(chunk: Chunk, reader: Iterator[Frame]) -> Iterator[Frame]:
    """The chunk's frames, taken from a reader that stands at or before its start."""
    for frame in reader:
        if frame.index >= chunk.start:
            yield frame
        if frame.index >= chunk.stop - 1:
            return


class _NumberedFrames:
    """The pictures of a sequence as frames; a sequence that loads its pictures on access stays as flat in memory as a file."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        """pictures: (H, W, 3) uint8 each."""
        self.pictures = pictures

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(index, float(index), rgb) for index, rgb in enumerate(self.pictures))
