"""The full-size model has exactly the tensors of the published one (spec sections 5 to 11)."""

import dataclasses

import pytest
import torch
from sam2.build_sam import build_sam2

from tests.goldens_config import facts, golden_config
from virst_cli.checkpoints.convert import tensor_shapes
from virst_cli.checkpoints.tensor_names import OURS
from virst_cli.checkpoints.weights import parameters_on_meta
from virst_cli.model.config import VIRST_7B, VirstConfig
from virst_cli.model.virst import Virst

D, C = 3584, 256  # widths of the language model and of SAM2
Shapes = dict[str, tuple[int, ...]]


def fused() -> VirstConfig:
    return dataclasses.replace(VIRST_7B, segmentation=dataclasses.replace(VIRST_7B.segmentation, initial_fusion=True))


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return {name: tuple(shape) for name, shape in tensor_shapes(fused()).items()}


def part(shapes: Shapes, prefix: str) -> Shapes:
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def linear(name: str, out: int, *inside: int) -> Shapes:
    return {f"{name}.weight": (out, *inside), f"{name}.bias": (out,)}


def norm(name: str, width: int) -> Shapes:
    return linear(name, width)


def spatial_down() -> Shapes:
    return linear("spatial_down.0", C, C, 3, 3) | linear("spatial_down.2", C, C, 3, 3) | linear("spatial_down.4", C, C, 3, 3)


def attention(name: str, width: int) -> Shapes:
    both = {f"{name}.in_proj_weight": (3 * width, width), f"{name}.in_proj_bias": (3 * width,)}
    return both | linear(f"{name}.out_proj", width, width)


def test_vision_tower(shapes):
    expected = linear("patch_embed.proj", 1024, 3, 1, 16, 16) | norm("vision_layernorm", 1024)
    for i in range(23):
        expected |= norm(f"blocks.{i}.norm1", 1024) | norm(f"blocks.{i}.norm2", 1024)
        expected |= {f"blocks.{i}.attn.qkv.weight": (3072, 1024)}
        expected |= {f"blocks.{i}.attn.q_bias": (1024,), f"blocks.{i}.attn.v_bias": (1024,)}
        expected |= linear(f"blocks.{i}.attn.proj", 1024, 1024)
        expected |= linear(f"blocks.{i}.mlp.fc1", 4096, 1024) | linear(f"blocks.{i}.mlp.fc2", 1024, 4096)
    assert part(shapes, "vision.vision_tower.") == expected


def test_projector(shapes):
    assert part(shapes, "vision.mm_projector.") == linear("mlp.0", D, 1024) | linear("mlp.2", D, D)


def test_language_model(shapes):
    expected: Shapes = {"embed_tokens.weight": (151647, D), "norm.weight": (D,)}
    for i in range(28):
        layer = linear("self_attn.q_proj", D, D) | linear("self_attn.k_proj", 512, D) | linear("self_attn.v_proj", 512, D)
        layer |= {"self_attn.o_proj.weight": (D, D), "mlp.down_proj.weight": (D, 18944)}
        layer |= {"mlp.gate_proj.weight": (18944, D), "mlp.up_proj.weight": (18944, D)}
        layer |= {"input_layernorm.weight": (D,), "post_attention_layernorm.weight": (D,)}
        expected |= {f"layers.{i}.{name}": shape for name, shape in layer.items()}
    assert part(shapes, "language_model.") == expected


def test_first_fusion(shapes):
    expected = spatial_down() | norm("spatial_norm", C) | linear("vision_proj", D, C) | {"gate": ()}
    expected |= norm("norm_q", D) | norm("norm_kv", D) | attention("cross_attn", D)
    assert part(shapes, "fusion.initial_seg_fusion_module.") == expected


def test_seg_prompter(shapes):
    expected = spatial_down() | norm("memory_norm", C) | linear("seg_proj", C, D)
    for i in (0, 1):
        layer = attention("self_attn", C) | linear("ff.0", 1024, C) | linear("ff.2", C, 1024)
        for name in "qkvo":
            layer |= linear(f"cross_attn.{name}_proj", C, C)
        layer |= norm("norm1", C) | norm("norm2", C) | norm("norm3", C)
        expected |= {f"decoder.{i}.{name}": shape for name, shape in layer.items()}
    assert part(shapes, "fusion.seg_prompter.") == expected


def test_sam2_is_the_packages_own_hiera_large(shapes):
    with parameters_on_meta():
        theirs = build_sam2("configs/sam2.1/sam2.1_hiera_l.yaml", device="meta")
    assert part(shapes, "fusion.seg_model.") == {name: tuple(t.shape) for name, t in theirs.state_dict().items()}


def test_there_is_nothing_else(shapes):
    prefixes = tuple(OURS.values())
    assert all(name.startswith(prefixes) for name in shapes)
    without = tensor_shapes(VIRST_7B)
    assert {name for name in shapes if name not in without} == {
        name for name in shapes if name.startswith("fusion.initial_seg_fusion_module.")
    }


def test_the_golden_model_has_the_tensors_of_the_published_tiny_one():
    published = facts("checkpoint/virst_keys.json")
    ours = {name: list(shape) for name, shape in tensor_shapes(golden_config(initial_fusion=True)).items()}
    renamed = {}
    for name, shape in published.items():
        name = name.removeprefix("base_model.model.")
        known = next((prefix for prefix in OURS if name.startswith(prefix)), None)
        if known and "lora_" not in name:
            renamed[OURS[known] + name.removeprefix(known)] = shape
    assert ours == renamed


def test_a_model_built_without_memory_has_real_tables_and_no_parameters():
    with parameters_on_meta():
        model = Virst(fused())
    assert all(parameter.is_meta for parameter in model.parameters())
    assert not any(buffer.is_meta for buffer in model.buffers())
    turning = model.fusion.seg_model.memory_attention.layers[0].self_attn.freqs_cis
    assert turning.shape == (64 * 64, 128)
    assert turning.abs().max() == pytest.approx(1)
    torch.testing.assert_close(  # spec section 9
        model.fusion.seg_prompter.decoder[0].cross_attn.rotary.frequencies,
        torch.tensor([1, 0.158489, 0.0251189, 0.00398107, 0.000630957]),
        atol=1e-6,
        rtol=1e-4,
    )
    assert not torch.nn.Linear(1, 1).weight.is_meta  # only inside
