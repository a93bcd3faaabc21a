"""Video and sentences in, a stream of masks out: the five steps of the model over frames as they come.

The video is read three times: once by the language model's eyes, once a chunk ahead for the fusion frames, once to
track. Decoding is cheap and memory is not, so no more than a chunk's 32 fusion frames are ever held, as features; every
other frame is encoded, tracked and let go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from virst_cli.checkpoints.sizes import is_small
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.cost.residency import Residency
from virst_cli.errors import UsageError, VideoError
from virst_cli.machine.out_of_memory import naming_stage
from virst_cli.model.config import CLIP_FRAMES, SEG_TOKENS
from virst_cli.model.pixels import to_square
from virst_cli.model.prompt import Prompt
from virst_cli.model.seg_model import FrameFeatures, SegModel, Tracked
from virst_cli.model.virst import Fusion, Vision, pack
from virst_cli.segmenter.parts import ModelParts
from virst_cli.tracking.schedule import Chunk, Plan, split_into_chunks
from virst_cli.tracking.tracker import Tracker
from virst_cli.video.probe import probe
from virst_cli.video.read import Frame, TruncatedVideo, read

OnProgress = Callable[[str, int, int], None]  # stage ("look", "anchor", "reason", "track"), done, total
State = dict[str, Tensor]


@dataclass(frozen=True)
class FrameResult:
    """The answer for one frame."""

    index: int  # of the frame, from 0 within the range asked for
    time: float  # seconds since the start of the source
    rgb: np.ndarray  # (H,W,3) uint8, the frame at display size
    masks: np.ndarray  # (n,H,W) bool, one mask a sentence, all False where nothing is seen
    scores: np.ndarray  # (n,) float32 object scores; above 0: seen


class Frames:
    """Frames that can be read again and again: those of a file or folder, in a range of seconds."""

    def __init__(self, path: Path, start: float = 0.0, end: float | None = None) -> None:
        self.path, self.start, self.end = path, start, end
        self.broken: str | None = None  # why the file broke off, once that was seen

    def expected(self) -> int | None:
        """How many frames the file claims, where that is known before reading."""
        return probe(self.path).frames if self.start == 0 and self.end is None else None

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from read(self.path, start=self.start, end=self.end)
        except TruncatedVideo as error:
            self.broken = str(error)


class _Listed:
    """Frames of a sequence, numbered; a sequence that reads its frames when asked stays as flat as a file."""

    def __init__(self, frames: Sequence[np.ndarray]) -> None:
        self.frames = frames

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(index, float(index), rgb) for index, rgb in enumerate(self.frames))


class Segmenter:
    """A model that segments videos. Make one with `virst_cli.load()`."""

    def __init__(
        self,
        folder: ModelFolder,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        chunk: int | None = None,
        faithful: bool = False,
        stay: Residency = Residency.everything,
    ) -> None:
        self.parts = ModelParts(folder, device=device, dtype=dtype, stay=stay)
        self.prompt_builder = folder.prompt_builder
        self.chunk = chunk or folder.config.segmentation.chunk
        self.faithful = faithful

    @property
    def name(self) -> str:
        return self.parts.config.name

    def segment(
        self, video: str | Path, sentences: Sequence[str], *, start: float = 0.0, end: float | None = None, **options: Any
    ) -> Iterator[FrameResult]:
        """Masks of every frame of a video file or folder of frames, for every sentence; frames come as they are done.

        `start`, `end`: seconds. Options are those of `stream`. Raises SentenceError and VideoError before the first frame.
        """
        self._prompts(sentences, None)  # refused before the file is touched
        frames = Frames(Path(video), start, end)
        return self.stream(frames, sentences, expected=frames.expected(), **options)

    def segment_frames(self, frames: Sequence[np.ndarray], sentences: Sequence[str], **options: Any) -> Iterator[np.ndarray]:
        """Masks (n,H,W) bool of any sequence of frames (H,W,3) uint8; it is gone through up to three times, frame by frame."""
        return (answer.masks for answer in self.stream(_Listed(frames), sentences, expected=len(frames), **options))

    def stream(
        self,
        frames: Iterable[Frame],
        sentences: Sequence[str],
        *,
        expected: int | None = None,
        plan: Plan | None = None,
        report: OnProgress = lambda stage, done, total: None,
        state: State | None = None,
        keep_state: Callable[[int, State], None] | None = None,
    ) -> Iterator[FrameResult]:
        """The stream behind `segment`, over any frames that can be iterated more than once.

        expected: frames, if known; a wrong number costs a second look.  plan: frames and templates chosen by the caller.
        keep_state: called at the end of every chunk with the number of frames done and what is needed to go on from there.
        state: what `keep_state` got; masks then start at that frame, and are those of an uninterrupted run.
        """
        return self._stream(frames, self._prompts(sentences, plan), plan, expected, report, state, keep_state)

    def _prompts(self, sentences: Sequence[str], plan: Plan | None) -> list[Prompt]:
        if not sentences:
            raise UsageError('no sentence given; say what to find, e.g. "the dog that jumps last"')
        templates = {"question": plan.question, "answer": plan.answer} if plan else {}
        return [self.prompt_builder.build(sentence, **templates) for sentence in sentences]

    def _stream(
        self,
        frames: Iterable[Frame],
        prompts: Sequence[Prompt],
        plan: Plan | None,
        expected: int | None,
        report: OnProgress,
        state: State | None,
        keep_state: Callable[[int, State], None] | None,
    ) -> Iterator[FrameResult]:
        remedies = self._remedies(len(prompts))
        if state is None:
            with naming_stage("look", remedies):
                visual, length, plan = self._look(frames, plan, expected, report)
            first, memory = 0, {}
        else:
            visual, length, first = torch.empty(0), int(state["length"]), int(state["next"])
            plan = plan or Plan.of(length, self.parts.config.vision.frames)
            memory = {name.removeprefix("memory."): value for name, value in state.items() if name.startswith("memory.")}
        parts = split_into_chunks(length, plan, self.chunk, self.parts.config.segmentation.frames_per_anchor)
        run = _Run(self, frames, length, report, only_chunk=parts[0] if len(parts) == 1 else None)
        if state is None:
            with naming_stage("anchor", remedies):
                seg = run.seg_embeddings(plan)
            with naming_stage("reason", remedies):
                seg_states = self._reason(visual, prompts, seg, report)
        else:
            seg_states = state["seg_states"].to(self.parts.device)
        with ExitStack() as stack:
            with naming_stage("anchor", remedies):
                fusion = stack.enter_context(self.parts.fusion())
            tracker = Tracker(fusion.seg_model, length)
            tracker.memory.restore({name: value.to(self.parts.device) for name, value in memory.items()})
            reader = iter(frames)
            for chunk in parts:
                if chunk.start < first:
                    continue
                with naming_stage("anchor", remedies):
                    run.begin(chunk, seg_states, fusion, tracker)
                for frame in reader:
                    if frame.index < chunk.start:
                        continue
                    with naming_stage("track", remedies):
                        answer = run.track(frame, tracker)
                    yield answer
                    report("track", frame.index + 1, length)
                    if frame.index == chunk.stop - 1:
                        break
                if keep_state is not None and chunk.stop < length:
                    keep_state(chunk.stop, _state(seg_states, tracker, length, chunk.stop))

    # --- look ------------------------------------------------------------------------------------------------

    def _look(
        self, frames: Iterable[Frame], chosen: Plan | None, expected: int | None, report: OnProgress
    ) -> tuple[Tensor, int, Plan]:
        """Visual tokens (V,D) of the plan's frames, and the true number of frames, which the file may have claimed wrongly."""
        length = expected or sum(1 for _ in frames)
        while length:
            plan = chosen or Plan.of(length, self.parts.config.vision.frames)
            visual, counted = self._visual_tokens(frames, plan, report)
            if visual is not None and (chosen or counted == length):
                return visual, counted, plan
            if chosen:
                raise UsageError(f"frame {max(chosen.looks)} was chosen, but the video has {counted} frames")
            length = counted
        raise VideoError("no frame lies in the range asked for; check --start and --end")

    def _visual_tokens(self, frames: Iterable[Frame], plan: Plan, report: OnProgress) -> tuple[Tensor | None, int]:
        size, wanted, clip, tokens, length = self.parts.config.vision.image_size, list(plan.looks), [], [], 0
        report("look", 0, len(wanted))
        with self.parts.vision() as vision:
            for frame in frames:
                length = frame.index + 1
                repeats = wanted.count(frame.index)
                if repeats:
                    clip += [to_square(frame.rgb, size)] * repeats
                    while len(clip) >= CLIP_FRAMES:
                        tokens.append(self._clip_tokens(vision, clip[:CLIP_FRAMES]))
                        clip = clip[CLIP_FRAMES:]
                        report("look", len(tokens) * CLIP_FRAMES, len(wanted))
        complete = tokens and len(tokens) * CLIP_FRAMES == len(wanted)
        return torch.cat(tokens) if complete else None, length

    @torch.inference_mode()
    def _clip_tokens(self, vision: Vision, clip: list[Tensor]) -> Tensor:
        with self.autocast():
            tokens: Tensor = vision(torch.stack(clip).to(self.parts.device))
            return tokens

    # --- reason ----------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _reason(self, visual: Tensor, prompts: Sequence[Prompt], seg: Tensor | None, report: OnProgress) -> Tensor:
        """[SEG] states (n,10,D) of all sentences, in one pass through the layers."""
        layers = self.parts.config.language.layers
        report("reason", 0, layers)
        with self.parts.language(lambda done: report("reason", done, layers)) as language, self.autocast():
            states = pack(visual, prompts, language.embed_tokens, seg).seg_states(language)
        report("reason", layers, layers)
        return states

    def _remedies(self, sentences: int) -> list[str]:
        """What a user can do when memory runs out, as far as it was not done yet."""
        parts, found = self.parts, []
        if parts.stay is not Residency.nothing and not is_small(parts.folder.path):
            found.append("--max-memory SIZE (weights then stay only as far as it allows)")
        if parts.dtype == torch.float32:
            found.append("--dtype bfloat16")
        if sentences > 1:
            found.append("fewer sentences at once")
        return [*found, "--device cpu" if parts.device.type != "cpu" else "a smaller --model"]

    def autocast(self) -> Any:
        if self.parts.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.parts.device.type, self.parts.dtype)


class _Run:
    """Fusion and tracking of one video: which features are held, and for how long. Parts are held by whoever calls."""

    def __init__(
        self, segmenter: Segmenter, frames: Iterable[Frame], length: int, report: OnProgress, *, only_chunk: Chunk | None
    ) -> None:
        self.segmenter, self.frames, self.length, self.report = segmenter, frames, length, report
        self.only_chunk = only_chunk  # of a video that is tracked in one
        self.size = segmenter.parts.config.segmentation.image_size
        self._ahead = iter(frames)  # the second reader, a chunk ahead
        self._held: dict[int, FrameFeatures] = {}  # as tracking wants them; let go when tracking has passed
        self._coarse: dict[int, Tensor] = {}  # as the fusions want them

    @torch.inference_mode()
    def seg_embeddings(self, plan: Plan) -> Tensor | None:
        """What the first fusion makes of the [SEG] embeddings, (10,D), where the model has it; it looks at the whole video."""
        parts = self.segmenter.parts
        if not parts.config.segmentation.initial_fusion:
            return None
        anchors = {frame for _, frame in self.only_chunk.anchors} if self.only_chunk else set()
        reader = self._ahead if self.only_chunk else iter(self.frames)
        with parts.fusion() as fusion, self.segmenter.autocast():
            self._encode_fusion_frames(plan.fusion_frames, anchors, reader, fusion.seg_model)
            coarse = torch.cat([self._coarse[frame] for frame in plan.fusion_frames])
            if self.only_chunk is None:
                self._coarse.clear()
                self._held.clear()
            seg_token = self.segmenter.prompt_builder.seg_token
            return fusion.fuse_seg_tokens(parts.embedded([seg_token] * SEG_TOKENS), coarse)

    @torch.inference_mode()
    def begin(self, chunk: Chunk, seg_states: Tensor, fusion: Fusion, tracker: Tracker) -> None:
        """fuse and anchor: prompts for the chunk's frames, masks for its anchors."""
        anchors = chunk.anchors
        if not self._coarse:
            self._encode_fusion_frames(chunk.fusion_frames, {frame for _, frame in anchors}, self._ahead, fusion.seg_model)
        with self.segmenter.autocast():
            coarse = torch.cat([self._coarse[frame] for frame in chunk.fusion_frames])
            span = (chunk.start / self.length, chunk.stop / self.length)
            prompts = fusion.prompts(seg_states, coarse, span)  # n,10,T,C
            asked: dict[int, list[Tensor]] = {}
            for place, frame in anchors:
                asked.setdefault(frame, []).append(prompts[:, :, place].contiguous())
            tracker.begin_chunk(self._held, asked)
        self._coarse.clear()
        self.report("anchor", len(set(chunk.fusion_frames)), len(set(chunk.fusion_frames)))

    @torch.inference_mode()
    def track(self, frame: Frame, tracker: Tracker) -> FrameResult:
        features = self._held.pop(frame.index, None)
        with self.segmenter.autocast():
            if features is None:
                features = self._encode(tracker.seg_model, frame.rgb)
            tracked = tracker.step(frame.index, features)
        return FrameResult(frame.index, frame.time, frame.rgb, _to_size(tracked, frame.rgb.shape[:2]), _scores(tracked))

    def _encode_fusion_frames(
        self, wanted: Sequence[int], anchors: set[int], reader: Iterator[Frame], seg_model: SegModel
    ) -> None:
        """Features of the fusion frames. Faithful: once more, with the other filter, for those that are tracked."""
        missing, count = set(wanted), len(set(wanted))
        self.report("anchor", 0, count)
        with self.segmenter.autocast():
            for frame in reader:
                if frame.index in missing:
                    if self.segmenter.faithful:
                        self._coarse[frame.index] = self._encode(seg_model, frame.rgb, bilinear=True).coarse
                        if frame.index in anchors:
                            self._held[frame.index] = self._encode(seg_model, frame.rgb)
                    else:
                        self._held[frame.index] = self._encode(seg_model, frame.rgb)
                        self._coarse[frame.index] = self._held[frame.index].coarse
                    missing.remove(frame.index)
                    self.report("anchor", count - len(missing), count)
                if not missing:
                    return

    def _encode(self, seg_model: SegModel, rgb: np.ndarray, *, bilinear: bool = False) -> FrameFeatures:
        image = to_square(rgb, self.size, bilinear=bilinear).to(self.segmenter.parts.device)
        return seg_model.encode(image[None])


def _to_size(tracked: Tracked, size: tuple[int, int]) -> np.ndarray:
    """Low-resolution logits to masks (n,H,W) bool at display size."""
    logits = F.interpolate(tracked.logits.float(), size=size, mode="bilinear", align_corners=False)
    return (logits[:, 0] > 0).cpu().numpy()


def _scores(tracked: Tracked) -> np.ndarray:
    return tracked.score[:, 0].float().cpu().numpy()


def _state(seg_states: Tensor, tracker: Tracker, length: int, following: int) -> State:
    memory: Mapping[str, Tensor] = {f"memory.{name}": value for name, value in tracker.memory.state().items()}
    tensors = {"seg_states": seg_states, "length": torch.tensor(length), "next": torch.tensor(following), **memory}
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
