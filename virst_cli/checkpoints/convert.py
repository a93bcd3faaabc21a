"""The published parts as one model folder (spec sections 2.6, 7 and 8).

VIRST's checkpoint lies over its base model and SAM 2.1: whatever it holds wins, whatever it lacks comes from below. It may hold
everything or the trained parts only; what it must hold are the LoRA updates and the SegPrompter, which exist nowhere else.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from virst_cli.checkpoints.folder import new_model_folder
from virst_cli.checkpoints.lora import SCALING, LowRankUpdates
from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.sources import Source, shards
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.checkpoints.weights import listed, parameters_on_meta
from virst_cli.errors import WeightsError
from virst_cli.model.config import VIRST_7B, VirstConfig
from virst_cli.model.virst import Virst

EMBEDDINGS = "language_model.embed_tokens.weight"
PROMPTER = "fusion.seg_prompter."
FIRST_FUSION = "fusion.initial_seg_fusion_module."
UNTRAINED_GATE = 0.1  # its first value; the first value of the biases is 0


@dataclass(frozen=True)
class Report:
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
) -> Report:
    """Write the model folder `output` from virst_checkpoint.pt, VideoChat-Flash's folder, sam2.1_hiera_large.pt and a tokenizer.

    `initial_fusion`: use the first fusion or not; by default it is used if it was trained. Memory: one shard, at most the
    embeddings (1.1 GB in bfloat16). Raises WeightsError for whatever is missing, unknown, of another shape, or not a plain file
    of tensors; OutputError when `output` exists.
    """
    virst = Source.virst(checkpoint)
    videochat, sam = Source.base(base), Source.sam2(sam2)
    below = {**videochat.tensors, **sam.tensors}
    words = read_tokenizer(tokenizer)
    if words.get_vocab_size() != config.language.vocabulary:
        raise WeightsError(
            f"{tokenizer} does not fit: expected {config.language.vocabulary} tokens with [SEG], got {words.get_vocab_size()}"
        )
    updates = LowRankUpdates(virst.tensors, config.language, lora_scaling)
    trained = {name: tensor for name, tensor in virst.tensors.items() if name not in updates.names}
    fused = was_trained(trained) if initial_fusion is None else initial_fusion
    config = dataclasses.replace(config, segmentation=dataclasses.replace(config.segmentation, initial_fusion=fused))
    left_out = [] if fused else [name for name in trained if name.startswith(FIRST_FUSION)]

    wanted = tensor_shapes(config)
    found = {**below, **{name: tensor for name, tensor in trained.items() if name not in left_out}}
    if EMBEDDINGS not in trained and EMBEDDINGS in found:
        found[EMBEDDINGS] = found[EMBEDDINGS][: config.language.vocabulary]  # the rest is padding; the last row kept is [SEG]
    _check(found, wanted, trained)

    source = {"dtype": str(dtype).removeprefix("torch."), "lora_scaling": lora_scaling}
    source |= {"sha256": {path.name: sha256(path) for path in (checkpoint, sam2, *shards(base))}}
    with new_model_folder(output) as writer:
        for shard, names in _by_shard(wanted).items():
            writer.shard(
                shard,
                {name: updates.apply(name, found[name]).to(dtype, copy=True).contiguous() for name in names},
            )
        writer.finish(config, words, source)
    gate = trained.get(FIRST_FUSION + "gate")
    return Report(
        config=config,
        merged=len(updates.modules),
        overridden=tuple(sorted(below.keys() & trained.keys())),
        dropped=(*videochat.unused, *virst.unused, *left_out),
        gate=None if gate is None else gate.item(),
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


def _check(found: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], trained: Mapping[str, Tensor]) -> None:
    prompter = {name for name in wanted if name.startswith((PROMPTER, FIRST_FUSION))}
    if missing := sorted(prompter - trained.keys()):
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


def _by_shard(names: Mapping[str, torch.Size]) -> dict[str, list[str]]:
    """Tensors in the order in which a run reads them; those that are read together share a shard."""
    parts: dict[str, list[str]] = {"vision": [], "embeddings": []}
    for name in names:
        part, layer = name.split(".")[0], name.removeprefix("language_model.layers.")
        if layer != name:
            part = f"layer-{int(layer.split('.')[0]):02}"
        parts.setdefault("embeddings" if part == "language_model" else part, []).append(name)
    return parts
