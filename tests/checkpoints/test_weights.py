"""Reading model folders: what fits is loaded, what does not is refused with names."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from virst_cli.checkpoints.manifest import MANIFEST
from virst_cli.checkpoints.weights import CONFIG, INDEX, SINGLE, TOKENIZER, ModelFolder
from virst_cli.errors import WeightsError
from virst_cli.model.language import LanguageModel
from virst_cli.model.prompt import SEG_TOKEN
from virst_cli.model.virst import Fusion, Virst, Vision


def change(path, shard, edit) -> None:
    """Edit the tensors of a shard, and the index with them."""
    tensors = load_file(path / shard)
    edit(tensors)
    tensors = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path / shard)
    index = json.loads((path / INDEX).read_text())
    kept = {name: file for name, file in index["weight_map"].items() if file != shard}
    (path / INDEX).write_text(json.dumps({"weight_map": kept | dict.fromkeys(tensors, shard)}))


def load_vision(path):
    folder = ModelFolder.open(path)
    return folder.build(lambda: Vision(folder.config), "vision.", device="cpu", dtype=torch.float32)


def test_a_module_gets_exactly_the_stored_tensors(converted):
    model = converted.build(lambda: Virst(converted.config), "", device="cpu", dtype=torch.float32)
    state = model.state_dict()
    assert sorted(state) == sorted(converted.names)
    for shard in converted.path.glob("*.safetensors"):
        for name, tensor in load_file(shard).items():
            assert torch.equal(state[name], tensor)


def test_a_loaded_model_equals_one_that_was_built_with_memory(converted):
    """Tables that are computed and not stored must be the same too."""
    loaded = converted.build(lambda: Fusion(converted.config), "fusion.", device="cpu", dtype=torch.float32).eval()
    plain = Fusion(converted.config).eval()
    plain.load_state_dict(loaded.state_dict())
    image = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    states = torch.randn(1, 10, converted.config.language.width)
    with torch.inference_mode():
        ours, theirs = loaded.seg_model.encode(image), plain.seg_model.encode(image)
        assert torch.equal(ours.coarse, theirs.coarse)
        assert torch.equal(loaded.mask_prompts(states, ours.coarse), plain.mask_prompts(states, theirs.coarse))
    assert not any(buffer.is_meta for buffer in loaded.buffers())


def test_weights_are_cast_but_tables_and_normalisations_are_not(converted):
    fusion = converted.build(lambda: Fusion(converted.config), "fusion.", device="cpu", dtype=torch.bfloat16)
    norms = [part for part in fusion.modules() if isinstance(part, torch.nn.LayerNorm | torch.nn.GroupNorm)]
    exact = {parameter for norm in norms for parameter in norm.parameters()}
    assert {parameter.dtype for parameter in exact} == {torch.float32}
    assert {parameter.dtype for parameter in fusion.parameters() if parameter not in exact} == {torch.bfloat16}
    assert fusion.seg_prompter.decoder[0].cross_attn.rotary.frequencies.dtype == torch.float32


def test_a_missing_tensor_is_named(copy):
    change(copy, "vision.safetensors", lambda tensors: tensors.pop("vision.mm_projector.mlp.0.bias"))
    with pytest.raises(WeightsError, match=r"lacks vision\.mm_projector\.mlp\.0\.bias"):
        load_vision(copy)


def test_an_unexpected_tensor_is_named(copy):
    change(copy, "vision.safetensors", lambda tensors: tensors.update({"vision.extra": torch.zeros(1)}))
    with pytest.raises(WeightsError, match=r"configuration does not have: vision\.extra"):
        load_vision(copy)


def test_another_shape_is_an_error_with_tensor_expected_and_got(copy):
    name = "vision.mm_projector.mlp.0.bias"
    width = ModelFolder.open(copy).config.language.width
    change(copy, "vision.safetensors", lambda tensors: tensors.update({name: torch.zeros(3)}))
    with pytest.raises(WeightsError, match=rf"{name} has the wrong shape: expected \({width},\), got \(3,\)"):
        load_vision(copy)


def test_many_missing_tensors_make_a_short_message(copy):
    change(copy, "vision.safetensors", lambda tensors: [tensors.pop(name) for name in list(tensors)[1:]])
    with pytest.raises(WeightsError, match=r"and \d+ more") as caught:
        load_vision(copy)
    assert "\n" not in str(caught.value)


def test_a_single_file_needs_no_index(copy):
    tensors = {}
    for shard in copy.glob("*.safetensors"):
        tensors |= {name: tensor.clone() for name, tensor in load_file(shard).items()}
        shard.unlink()
    save_file(tensors, copy / SINGLE)
    (copy / INDEX).unlink()
    folder = ModelFolder.open(copy)
    assert sorted(folder.names) == sorted(tensors)
    load_vision(copy)


def test_rows_of_a_table_are_those_of_the_table(converted):
    name = "language_model.embed_tokens.weight"
    table = load_file(converted.path / "embeddings.safetensors")[name]
    ids = torch.tensor([[3, 1], [1, len(table) - 1]])
    assert torch.equal(converted.rows(name, ids), table[ids])
    with pytest.raises(WeightsError, match=r"lacks no\.such"):
        converted.rows("no.such", ids)


def test_the_folder_has_a_prompt_builder(converted):
    assert converted.prompt_builder.seg_token == converted.config.language.vocabulary - 1
    assert converted.prompt_builder.tokenizer.token_to_id(SEG_TOKEN) == converted.prompt_builder.seg_token


def test_an_untouched_folder_is_verified(converted):
    converted.verify()


@pytest.mark.parametrize("name", ["fusion.safetensors", CONFIG, TOKENIZER, INDEX])
def test_one_flipped_byte_is_found_and_named(copy, name):
    folder = ModelFolder.open(copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{name} is damaged: expected sha256 [0-9a-f]{{64}}, got [0-9a-f]{{64}}"):
        folder.verify()


def test_a_shortened_file_is_found_and_named(copy):
    folder = ModelFolder.open(copy)
    shard = copy / "layer-00.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"layer-00.safetensors is damaged: expected \d+ bytes, got \d+"):
        folder.verify()
    with pytest.raises(WeightsError, match=r"layer-00.safetensors can't be read"):
        folder.build(lambda: LanguageModel(folder.config.language), "language_model.", device="cpu", dtype=torch.float32)


@pytest.mark.parametrize("name", ["fusion.safetensors", CONFIG])
def test_a_missing_file_is_named(copy, name):
    folder = ModelFolder.open(copy)
    (copy / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name} is missing"):
        folder.verify()
    with pytest.raises(WeightsError, match=name):
        ModelFolder.open(copy)


def test_a_shard_that_the_manifest_does_not_know_is_named(copy):
    folder = ModelFolder.open(copy)
    save_file({"x": torch.zeros(1)}, copy / "smuggled.safetensors")
    with pytest.raises(WeightsError, match=r"does not list smuggled\.safetensors"):
        folder.verify()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {"a": {}}}', '{"files": {"../a": {"sha256": "", "bytes": 0}}}'])
def test_an_invalid_manifest_is_refused(copy, text):
    (copy / MANIFEST).write_text(text)
    with pytest.raises(WeightsError, match="not a valid manifest"):
        ModelFolder.open(copy).verify()


def test_a_folder_without_a_manifest_can_not_be_verified(copy):
    (copy / MANIFEST).unlink()
    with pytest.raises(WeightsError, match=r"no manifest\.json"):
        ModelFolder.open(copy).verify()


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"weight_map": 1}', '{"weight_map": {"a": 1}}'])
def test_an_invalid_index_is_refused(copy, index):
    (copy / INDEX).write_text(index)
    with pytest.raises(WeightsError):
        ModelFolder.open(copy)


@pytest.mark.parametrize("file", ["../fusion.safetensors", "/etc/passwd", "gone.safetensors"])
def test_an_index_can_not_lead_out_of_the_folder(copy, file):
    (copy.parent / "fusion.safetensors").touch()
    (copy / INDEX).write_text(json.dumps({"weight_map": {"a": file}}))
    with pytest.raises(WeightsError, match="is missing"):
        ModelFolder.open(copy)


def test_a_folder_without_tensors_is_not_a_model_folder(copy, tmp_path):
    (copy / INDEX).unlink()
    with pytest.raises(WeightsError, match=r"neither model\.safetensors"):
        ModelFolder.open(copy)
    with pytest.raises(WeightsError, match="not a model folder"):
        ModelFolder.open(tmp_path / "nothing")


GROWTH = """
from virst_cli.checkpoints.weights import parameters_on_meta
from virst_cli.machine.memory import peak_bytes
from virst_cli.model.config import VIRST_7B
from virst_cli.model.virst import Virst
before = peak_bytes()
with parameters_on_meta():
    model = Virst(VIRST_7B)
assert sum(parameter.numel() for parameter in model.parameters()) > 7e9
print(peak_bytes() - before)
"""


def test_the_full_size_model_is_built_in_less_than_200_megabytes():
    grown = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 200e6  # its weights would take 15 GB
