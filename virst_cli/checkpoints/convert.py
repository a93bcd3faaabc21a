"""The published parts as one model folder (spec sections 2.6, 7 and 8).

VIRST's checkpoint lies over its base model and SAM 2.1: whatever it holds wins, whatever it lacks comes from below. It may hold
everything or the trained parts only; what it must hold are the LoRA updates and the SegPrompter, which exist nowhere else.
"""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from virst_cli.checkpoints.lora import SCALING, LowRankUpdates
from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.tensor_names import CheckpointTensors, shards
from virst_cli.checkpoints.tokenizer import FILES, read_tokenizer
from virst_cli.checkpoints.weights import parameters_on_meta
from virst_cli.checkpoints.write_folder import new_model_folder
from virst_cli.errors import DiskFull, WeightsError
from virst_cli.files.shown import listed
from virst_cli.model.config import VIRST_7B, VirstConfig
from virst_cli.model.virst import Virst

EMBEDDINGS = "language_model.embed_tokens.weight"
PROMPTER = "fusion.seg_prompter."
FIRST_FUSION = "fusion.initial_seg_fusion_module."
UNTRAINED_GATE = 0.1  # its first value; the first value of the biases is 0
AT_ONCE = 1 << 24  # numbers that are merged, cast and written together
OPEN_FOR = 1 << 28  # bytes that are read before files are let go and opened anew; until then what was read counts as memory

OnProgress = Callable[[str, int, int], None]  # takes stage, done, total


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion did."""

    config: VirstConfig
    merged: int  # matrices that took a low-rank update
    overridden: tuple[str, ...]  # tensors of the base model or SAM2 that the checkpoint replaced
    dropped: tuple[str, ...]  # tensors, by their published names or ours, that no mask depends on
    gate: float | None  # of the first fusion; None: the checkpoint has none

    def overridden_by_part(self) -> dict[str, int]:
        """How many tensors were replaced in `fusion.seg_model`, `vision.vision_tower` and so on."""
        return dict(Counter(".".join(name.split(".")[:2]) for name in self.overridden))


def convert(
    checkpoint: Path,
    *,
    base: Path,
    sam2: Path,
    tokenizer: Path,
    output: Path,
    config: VirstConfig = VIRST_7B,
    dtype: torch.dtype = torch.bfloat16,
    lora_scaling: float = SCALING,
    initial_fusion: bool | None = None,
    sums: Mapping[Path, str] | None = None,
    progress: OnProgress = lambda stage, done, total: None,
) -> ConversionReport:
    """Write the model folder `output` from virst_checkpoint.pt, VideoChat-Flash's folder, sam2.1_hiera_large.pt and a tokenizer.

    `initial_fusion`: use the first fusion or not; by default it is used if it was trained. `sums`: sha256 that some of the source
    files must have. Memory: some hundred megabytes, whatever the sizes of files and tensors.
    Raises WeightsError for whatever is missing, unknown, damaged, of another shape, or not a plain file of tensors; OutputError
    when `output` exists; DiskFull before anything is written, if it is clear by then.
    """
    virst = CheckpointTensors.virst(checkpoint)
    videochat, sam = CheckpointTensors.base(base), CheckpointTensors.sam2(sam2)
    words = read_tokenizer(tokenizer)
    if words.get_vocab_size() != config.language.vocabulary:
        raise WeightsError(
            f"{tokenizer} does not fit: expected {config.language.vocabulary} tokens with [SEG], got {words.get_vocab_size()}"
        )
    updates = LowRankUpdates(virst.tensors, config.language, lora_scaling)
    gate = _first_fusion(virst)
    fused = was_trained(gate) if initial_fusion is None else initial_fusion
    config = dataclasses.replace(config, segmentation=dataclasses.replace(config.segmentation, initial_fusion=fused))
    trained = virst.tensors.keys() - updates.names
    left_out = [] if fused else sorted(name for name in trained if name.startswith(FIRST_FUSION))

    wanted = tensor_shapes(config)
    below = {**videochat.tensors, **sam.tensors}
    if EMBEDDINGS in below:
        below[EMBEDDINGS] = below[EMBEDDINGS][: config.language.vocabulary]  # the rest is padding; the last row kept is [SEG]
    found = {**below, **{name: virst.tensors[name] for name in trained if name not in left_out}}
    _check(found, wanted, trained)
    updates.check(wanted)
    _check_space(output, sum(shape.numel() for shape in wanted.values()) * dtype.itemsize)

    sources = (checkpoint, sam2, *shards(base), *(tokenizer / name for name in FILES))
    source = {"dtype": str(dtype).removeprefix("torch."), "lora_scaling": lora_scaling}
    source |= {"sha256": _checked_sums(sources, sums or {}, progress)}
    with new_model_folder(output) as writer:
        plan = _by_shard(wanted)
        for number, (shard, names) in enumerate(plan.items()):
            progress("convert", number, len(plan))
            layout = {name: torch.empty(wanted[name], dtype=dtype, device="meta") for name in names}
            writer.shard(shard, layout, _pieces(names, wanted, (videochat, sam, virst), updates, dtype))
        progress("convert", len(plan), len(plan))
        writer.finish(config, words, source)
    return ConversionReport(
        config=config,
        merged=len(updates.modules),
        overridden=tuple(sorted(below.keys() & trained)),
        dropped=(*videochat.unused, *virst.unused, *left_out),
        gate=gate[FIRST_FUSION + "gate"].item() if FIRST_FUSION + "gate" in gate else None,
    )


def was_trained(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the first fusion has left its first values: gate 0.1 (in the precision at hand), attention biases 0."""
    gate = tensors.get(FIRST_FUSION + "gate")
    if gate is None:
        return False
    biases = [tensors.get(f"{FIRST_FUSION}cross_attn.{name}") for name in ("in_proj_bias", "out_proj.bias")]
    moved = gate.to(torch.bfloat16).item() != torch.tensor(UNTRAINED_GATE, dtype=torch.bfloat16).item()
    return moved or any(bias is not None and bool(bias.any()) for bias in biases)


def tensor_shapes(config: VirstConfig) -> dict[str, torch.Size]:
    """Names and shapes of all tensors of a model."""
    with parameters_on_meta():
        return {name: tensor.shape for name, tensor in Virst(config).state_dict().items()}


def _first_fusion(virst: CheckpointTensors) -> dict[str, Tensor]:
    """What tells whether it was trained."""
    names = ("gate", "cross_attn.in_proj_bias", "cross_attn.out_proj.bias")
    found = virst.read(FIRST_FUSION + name for name in names)
    if (gate := found.get(FIRST_FUSION + "gate")) is not None and gate.numel() != 1:
        raise WeightsError(f"{FIRST_FUSION}gate does not fit: expected shape (), got {tuple(gate.shape)}")
    return found


def _pieces(
    names: Iterable[str],
    wanted: Mapping[str, torch.Size],
    sources: Iterable[CheckpointTensors],
    updates: LowRankUpdates,
    dtype: torch.dtype,
) -> Iterator[Tensor]:
    """The contents of tensors of one shard, some rows at a time: later sources win, updates are merged in float32, then cast."""
    names = list(names)
    extra = [part for name in names for part in updates.of(name) or ()]
    tensors: dict[str, Tensor] = {}
    touched = OPEN_FOR
    for name in names:
        update, shape = updates.of(name), wanted[name]
        count, width = (shape[0], shape[1:].numel()) if shape else (1, 1)  # base embeddings have more rows than are wanted
        step = max(1, AT_ONCE // max(1, width))
        for start in range(0, count, step):
            if touched >= OPEN_FOR:
                tensors.clear()
                for source in sources:
                    tensors |= source.read([*names, *extra])
                touched = 0
            rows = tensors[name][start : min(start + step, count)] if shape else tensors[name]
            touched += rows.nbytes
            if update is not None:
                down, up = (tensors[part] for part in update)
                rows = updates.merged(rows, down, up[start : start + step])
            yield rows.to(dtype)


def _check(found: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], trained: Iterable[str]) -> None:
    prompter = {name for name in wanted if name.startswith((PROMPTER, FIRST_FUSION))}
    if missing := sorted(prompter - set(trained)):
        raise WeightsError(f"the checkpoint lacks {len(missing)} of {len(prompter)} tensors of the fusions: {listed(missing)}")
    if missing := sorted(wanted.keys() - found.keys()):
        raise WeightsError(f"neither the checkpoint nor the base model nor SAM2 has {listed(missing)}")
    if unexpected := sorted(found.keys() - wanted.keys()):
        raise WeightsError(
            f"{len(unexpected)} tensors are in the files but not in a {len(wanted)}-tensor VIRST: {listed(unexpected)}"
        )
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise WeightsError(f"{name} does not fit: expected shape {tuple(shape)}, got {tuple(found[name].shape)}")
        if not found[name].is_floating_point():
            raise WeightsError(f"{name} does not fit: expected floating point, got {found[name].dtype}")


def _check_space(output: Path, needed: int) -> None:
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise DiskFull(
            f"{output}: the model needs {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB are free; free some, or set VIRST_HOME to "
            "another disk"
        )


def _checked_sums(files: tuple[Path, ...], expected: Mapping[Path, str], progress: OnProgress) -> dict[str, str]:
    """sha256 of the sources. Raises WeightsError for one that is not what it should be."""
    sums = {}
    for number, path in enumerate(files):
        progress("check", number, len(files))
        sums[path.name] = got = sha256(path)
        if (wanted := expected.get(path, got)) != got:
            raise WeightsError(
                f"{path} is not the published file: expected sha256 {wanted}, got {got}; get it again, or, if it is of your own "
                "making, import it under another --name"
            )
    progress("check", len(files), len(files))
    return sums


def _by_shard(names: Mapping[str, torch.Size]) -> dict[str, list[str]]:
    """Tensors in the order in which a run reads them; those that are read together share a shard."""
    parts: dict[str, list[str]] = {"vision": [], "embeddings": []}
    for name in names:
        part, layer = name.split(".")[0], name.removeprefix("language_model.layers.")
        if layer != name:
            part = f"layer-{int(layer.split('.')[0]):02}"
        parts.setdefault("embeddings" if part == "language_model" else part, []).append(name)
    return parts
