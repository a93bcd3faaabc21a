"""Converts the published parts into one model folder (spec sections 2.6, 7 and 8).

A tensor that VIRST's checkpoint has is taken from there; any other comes from the base model or SAM 2.1. The checkpoint may have
all tensors or the trained ones only, but it must have the LoRA updates and the SegPrompter, which exist nowhere else.
"""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from virst_cli.checkpoints.lora import SCALING, LowRankUpdates
from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.tensor_names import CheckpointTensors, shard_paths
from virst_cli.checkpoints.tokenizer import FILES, read_tokenizer
from virst_cli.checkpoints.weights import parameters_on_meta
from virst_cli.checkpoints.write_folder import new_model_folder
from virst_cli.errors import DiskFull, WeightsError
from virst_cli.files.shown import listed
from virst_cli.model.config import VIRST_7B, VirstConfig
from virst_cli.model.virst import Virst
from virst_cli.stages import OnProgress, ignore_progress

EMBEDDINGS = "language_model.embed_tokens.weight"
PROMPTER = "fusion.seg_prompter."
FIRST_FUSION = "fusion.initial_seg_fusion_module."
UNTRAINED_GATE = 0.1  # the gate before training; the attention biases are 0 then
AT_ONCE = 1 << 24  # elements that are updated, cast and written together
OPEN_FOR = 1 << 28  # bytes that are read before the files are closed and opened again; until then they count as memory


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion did.

    config: of the new model.
    merged: number of matrices that a low-rank update was added to.
    overridden: tensors of the base model or SAM 2.1 that the checkpoint replaced.
    dropped: tensors, by their published names or ours, that no mask depends on.
    gate: of the first fusion; None if the checkpoint has no first fusion.
    """

    config: VirstConfig
    merged: int
    overridden: tuple[str, ...]
    dropped: tuple[str, ...]
    gate: float | None

    def overridden_by_part(self) -> dict[str, int]:
        """Part, such as `fusion.seg_model` or `vision.vision_tower` -> how many of its tensors were replaced."""
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
    on_progress: OnProgress = ignore_progress,
) -> ConversionReport:
    """Writes a model folder from the published parts. Takes a few hundred megabytes of memory, whatever the sizes of the parts.

    checkpoint: virst_checkpoint.pt.
    base: folder of VideoChat-Flash.
    sam2: sam2.1_hiera_large.pt.
    tokenizer: folder of Qwen2's vocabulary files.
    output: the folder that is written; it must not exist.
    config: sizes of the model.
    dtype: of all tensors in the model folder.
    lora_scaling: what the low-rank updates are multiplied by.
    initial_fusion: use the first fusion or not; None to use it if it was trained.
    sums: sha256 that some of the source files must have.
    on_progress: takes "check" and files, then "convert" and shards.

    Raises WeightsError for a part that is missing, damaged or not a plain file of tensors, and for a tensor that is missing,
    unknown or has the wrong shape; OutputError when `output` exists; DiskFull, before anything is written if that is foreseeable.
    """
    virst = CheckpointTensors.virst(checkpoint)
    videochat, sam = CheckpointTensors.base(base), CheckpointTensors.sam2(sam2)
    words = read_tokenizer(tokenizer)
    if words.get_vocab_size() != config.language.vocabulary:
        raise WeightsError(
            f"{tokenizer} is the tokenizer of another model: expected {config.language.vocabulary} tokens with [SEG], "
            f"got {words.get_vocab_size()}"
        )
    updates = LowRankUpdates(virst.tensors, config.language, lora_scaling)
    gate = _first_fusion(virst)
    fused = was_trained(gate) if initial_fusion is None else initial_fusion
    config = dataclasses.replace(config, segmentation=dataclasses.replace(config.segmentation, initial_fusion=fused))
    trained = virst.tensors.keys() - updates.names
    unused_fusion = [] if fused else sorted(name for name in trained if name.startswith(FIRST_FUSION))

    wanted = tensor_shapes(config)
    below = {**videochat.tensors, **sam.tensors}
    if EMBEDDINGS in below:
        rows = config.language.vocabulary  # with [SEG] as the last one; the base model has more for padding
        below[EMBEDDINGS] = below[EMBEDDINGS][:rows]
    found = {**below, **{name: virst.tensors[name] for name in trained if name not in unused_fusion}}
    _check(found, wanted, trained)
    updates.check(wanted)
    _check_space(output, sum(shape.numel() for shape in wanted.values()) * dtype.itemsize)

    sources = (checkpoint, sam2, *shard_paths(base), *(tokenizer / name for name in FILES))
    source = {"dtype": str(dtype).removeprefix("torch."), "lora_scaling": lora_scaling}
    source |= {"sha256": _checked_sums(sources, sums or {}, on_progress)}
    with new_model_folder(output) as writer:
        plan = _by_shard(wanted)
        for number, (shard, names) in enumerate(plan.items()):
            on_progress("convert", number, len(plan))
            layout = {name: torch.empty(wanted[name], dtype=dtype, device="meta") for name in names}
            writer.write_shard(shard, layout, _pieces(names, wanted, (videochat, sam, virst), updates, dtype))
        on_progress("convert", len(plan), len(plan))
        writer.finish(config, words, source)
    return ConversionReport(
        config=config,
        merged=len(updates.modules),
        overridden=tuple(sorted(below.keys() & trained)),
        dropped=(*videochat.unused, *virst.unused, *unused_fusion),
        gate=gate[FIRST_FUSION + "gate"].item() if FIRST_FUSION + "gate" in gate else None,
    )


def was_trained(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the first fusion was trained: its gate is not 0.1 (rounded to bfloat16), or its attention biases are not 0."""
    gate = tensors.get(FIRST_FUSION + "gate")
    if gate is None:
        return False
    biases = [tensors.get(f"{FIRST_FUSION}cross_attn.{name}") for name in ("in_proj_bias", "out_proj.bias")]
    moved = gate.to(torch.bfloat16).item() != torch.tensor(UNTRAINED_GATE, dtype=torch.bfloat16).item()
    return moved or any(bias is not None and bool(bias.any()) for bias in biases)


def tensor_shapes(config: VirstConfig) -> dict[str, torch.Size]:
    """Name -> shape of all tensors of a model."""
    with parameters_on_meta():
        return {name: tensor.shape for name, tensor in Virst(config).state_dict().items()}


def _first_fusion(virst: CheckpointTensors) -> dict[str, Tensor]:
    """The tensors of the first fusion that `was_trained` looks at, if the checkpoint has them."""
    names = ("gate", "cross_attn.in_proj_bias", "cross_attn.out_proj.bias")
    found = virst.read(FIRST_FUSION + name for name in names)
    if (gate := found.get(FIRST_FUSION + "gate")) is not None and gate.numel() != 1:
        raise WeightsError(f"{FIRST_FUSION}gate has the wrong shape: expected (), got {tuple(gate.shape)}")
    return found


def _pieces(
    names: Iterable[str],
    wanted: Mapping[str, torch.Size],
    sources: Iterable[CheckpointTensors],
    updates: LowRankUpdates,
    dtype: torch.dtype,
) -> Iterator[Tensor]:
    """The contents of the tensors of one shard, some rows at a time.

    A tensor is taken from the last of the sources that has it; its low-rank update is added in float32; then it is cast.
    """
    names = list(names)
    extra = [part for name in names for part in updates.names_for(name) or ()]
    tensors: dict[str, Tensor] = {}
    touched = OPEN_FOR
    for name in names:
        update, shape = updates.names_for(name), wanted[name]
        count, width = (shape[0], shape[1:].numel()) if shape else (1, 1)  # the base model's embeddings have more rows
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
                rows = updates.add_to(rows, down, up[start : start + step])
            yield rows.to(dtype)


def _check(found: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], trained: Iterable[str]) -> None:
    """Raises WeightsError unless all tensors are there with the right shape.

    found: tensors of all sources, by name.
    wanted: name -> shape of the model's tensors.
    trained: names of the checkpoint's tensors.
    """
    prompter = {name for name in wanted if name.startswith((PROMPTER, FIRST_FUSION))}
    if missing := sorted(prompter - set(trained)):
        raise WeightsError(f"the checkpoint lacks {len(missing)} of {len(prompter)} tensors of the fusions: {listed(missing)}")
    if missing := sorted(wanted.keys() - found.keys()):
        raise WeightsError(f"neither the checkpoint nor the base model nor SAM 2.1 has {listed(missing)}")
    if unexpected := sorted(found.keys() - wanted.keys()):
        raise WeightsError(
            f"the files have {len(unexpected)} tensors that a VIRST model of this size does not have: {listed(unexpected)}"
        )
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise WeightsError(f"{name} has the wrong shape: expected {tuple(shape)}, got {tuple(found[name].shape)}")
        if not found[name].is_floating_point():
            raise WeightsError(f"{name} has the wrong dtype: expected floating point, got {found[name].dtype}")


def _check_space(output: Path, needed: int) -> None:
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise DiskFull(
            f"{output}: the model needs {needed / 1e9:.2f} GB, but {free / 1e9:.2f} GB are free; free some space, or set "
            "VIRST_HOME to another disk"
        )


def _checked_sums(files: tuple[Path, ...], expected: Mapping[Path, str], on_progress: OnProgress) -> dict[str, str]:
    """File name -> sha256 of the source files. Raises WeightsError if one differs from the expected sha256."""
    sums = {}
    for number, path in enumerate(files):
        on_progress("check", number, len(files))
        sums[path.name] = got = sha256(path)
        if (wanted := expected.get(path, got)) != got:
            raise WeightsError(
                f"{path} is not the published file: expected sha256 {wanted}, got {got}; download it again, or import your own "
                "checkpoint under another --name"
            )
    on_progress("check", len(files), len(files))
    return sums


def _by_shard(names: Mapping[str, torch.Size]) -> dict[str, list[str]]:
    """Shard -> the names of its tensors, in the order in which a run reads them. Tensors that are read together share a shard."""
    parts: dict[str, list[str]] = {"vision": [], "embeddings": []}
    for name in names:
        part, layer = name.split(".")[0], name.removeprefix("language_model.layers.")
        if layer != name:
            part = f"layer-{int(layer.split('.')[0]):02}"
        parts.setdefault("embeddings" if part == "language_model" else part, []).append(name)
    return parts
