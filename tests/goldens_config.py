"""The golden set under test: where it is, its files, and its sizes as a VirstConfig.

Every size is read from the set's own config.json, so a second set with other sizes runs through the same tests:
VIRST_GOLDENS=DIR pytest.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from virst_cli.checkpoints.convert import ConversionReport, convert
from virst_cli.model.config import (
    CLIP_FRAMES,
    NEAREST_ANCHORS,
    POINTER_FRAMES,
    RECENT_FRAMES,
    SEG_TOKENS,
    HieraConfig,
    LanguageConfig,
    SegmentationConfig,
    VirstConfig,
    VisionConfig,
)

GOLDENS = Path(os.environ.get("VIRST_GOLDENS", Path(__file__).parent / "goldens"))
CHECKPOINT = GOLDENS / "checkpoint"


def facts(name: str) -> Any:
    return json.loads((GOLDENS / name).read_text())


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(GOLDENS / name)


def words() -> Any:
    """The set's sizes in words."""
    return facts("checkpoint/config.json")


def golden_config(*, image_size: int | None = None, initial_fusion: bool = False) -> VirstConfig:
    """The set's sizes as ours. `image_size`: SAM2's, by default the one of the end-to-end runs; no tensor depends on it."""
    said = words()
    language, tower, projector = said["language_model"], said["vision_tower"], said["projector"]
    sam, prompter, fusion = said["segmentation_model"], said["seg_prompter"], said["initial_seg_fusion"]
    check_constants(said)
    full_size = sam["image_size_end_to_end"]
    halvings = round(math.log2(full_size / 16 / prompter["grid"]))
    return VirstConfig(
        name="golden",
        vision=VisionConfig(
            image_size=tower["image_size"],
            patch=tower["patch_size"],
            width=tower["width"],
            blocks=tower["blocks_present"],
            heads=tower["heads"],
            mlp_ratio=tower["mlp_ratio"],
            merged_tokens=projector["tokens_per_clip_of_4_frames"],
            merging_heads=projector["metric_heads"],
        ),
        language=LanguageConfig(
            width=language["hidden_size"],
            layers=language["number_of_layers"],
            heads=language["attention_heads"],
            key_value_heads=language["key_value_heads"],
            mlp=language["mlp_size"],
            vocabulary=language["embedding_rows_after_shrinking"],
            norm_eps=language["rms_norm_eps"],
            rope_theta=language["rope_theta"],
        ),
        segmentation=SegmentationConfig(
            image_size=full_size if image_size is None else image_size,
            width=sam["hidden_size"],
            memory_width=sam["memory_size"],
            trunk=HieraConfig(
                embed_dim=sam["hiera_embed_dim"],
                heads=sam["hiera_heads"],
                stages=tuple(sam["hiera_stages"]),
                global_blocks=tuple(sam["hiera_global_attention_blocks"]),
                windows=tuple(sam["hiera_window_spec"]),
                position_grid=tuple(sam["hiera_window_pos_embed_background_size"]),
            ),
            fpn_top_down=tuple(sam["fpn_top_down_levels"]),
            memory_layers=sam["memory_attention_layers"],
            memory_heads=sam["memory_attention_heads"],
            memory_mlp=sam["memory_attention_feedforward"],
            fuser_layers=sam["memory_encoder_fuser_layers"],
            fusion_strides=(2,) * halvings,
            fusion_heads=fusion["heads"],
            prompter_heads=prompter["heads"],
            prompter_layers=prompter["layers"],
            initial_fusion=initial_fusion,
        ),
    )


def check_constants(said: Any) -> None:
    """What the published code fixes and we do too: a set that differs here is another model."""
    language, tower, sam = said["language_model"], said["vision_tower"], said["segmentation_model"]
    prompter, fusion = said["seg_prompter"], said["initial_seg_fusion"]
    assert language["head_dimension"] * language["attention_heads"] == language["hidden_size"]
    assert not language["tied_embeddings"]
    assert language["query_key_value_bias"]
    assert tower["frames_per_clip"] == CLIP_FRAMES
    assert (tower["block_norm_eps"], tower["final_norm_eps"]) == (1e-6, 1e-12)
    assert said["projector"]["tokens_for_single_image"] == said["projector"]["tokens_per_clip_of_4_frames"]
    assert said["prompt"]["segmentation_tokens"] == SEG_TOKENS
    assert sam["num_maskmem"] == 1 + RECENT_FRAMES
    assert sam["max_cond_frames_in_attn"] == NEAREST_ANCHORS
    assert sam["max_obj_ptrs_in_encoder"] == 1 + POINTER_FRAMES
    assert (sam["sigmoid_scale_for_mem_enc"], sam["sigmoid_bias_for_mem_enc"]) == (20, -10)
    assert not sam["binarize_mask_from_pts_for_mem_enc"]
    assert sam["fill_hole_area"] == 0
    assert sam["scalp"] == 1
    assert prompter["vision_channels"] == prompter["token_width"] == sam["hidden_size"]
    assert prompter["head_dimension"] * prompter["heads"] == prompter["token_width"]
    assert fusion["vision_channels"] == sam["hidden_size"]
    assert prompter["grid"] == fusion["grid"]


def convert_goldens(output: Path, *, initial_fusion: bool | None = None, **changes: Any) -> ConversionReport:
    """The set's published files as a model folder in float32; `changes` go to `convert`."""
    arguments: dict[str, Any] = {
        "base": CHECKPOINT / "videochat_base",
        "sam2": CHECKPOINT / "sam2_base.pt",
        "tokenizer": CHECKPOINT / "tokenizer",
        "config": golden_config(),
        "dtype": torch.float32,
        "lora_scaling": words()["lora"]["scaling"],
    } | changes
    checkpoint = arguments.pop("checkpoint", CHECKPOINT / "virst_checkpoint.pt")
    return convert(checkpoint, output=output, initial_fusion=initial_fusion, **arguments)
