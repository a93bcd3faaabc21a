"""The published parts become a model folder, or an error that says what is wrong with them."""

import dataclasses
import os
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.goldens_config import CHECKPOINT, convert_goldens, golden_config, words
from virst_cli.checkpoints import convert as convert_module
from virst_cli.checkpoints.convert import was_trained
from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.checkpoints.write_folder import FolderWriter
from virst_cli.errors import WeightsError

PEFT = "base_model.model."
LAYER = PEFT + "model.layers.0.self_attn.q_proj"
FIRST_FUSION = "fusion.initial_seg_fusion_module."


def trained_parts(published):
    """The smallest checkpoint: only the tensors that no other source has."""
    return {name: tensor for name, tensor in published.items() if "lora_" in name or "seg_prompter" in name}


def tensors_of(path):
    tensors = {}
    for shard in path.glob("*.safetensors"):
        tensors |= load_file(shard)
    return tensors


def base():
    return load_file(CHECKPOINT / "videochat_base" / "model.safetensors")


def sam2():
    return torch.load(CHECKPOINT / "sam2_base.pt", weights_only=True)["model"]


def test_the_checkpoint_replaces_tensors_of_base_and_sam2(converted, published):
    ours = tensors_of(converted.path)
    name = "sam_mask_decoder.iou_token.weight"
    assert torch.equal(ours["fusion.seg_model." + name], published[PEFT + "model.seg_model." + name])
    assert not torch.equal(ours["fusion.seg_model." + name], sam2()[name].float())
    merged = published[LAYER + ".weight"] + words()["lora"]["scaling"] * (
        published[LAYER + ".lora_B.default.weight"] @ published[LAYER + ".lora_A.default.weight"]
    )
    assert torch.equal(ours["language_model.layers.0.self_attn.q_proj.weight"], merged)


def test_a_partial_checkpoint_is_completed_from_base_and_sam2(tmp_path, published, checkpoint):
    report = convert_goldens(tmp_path / "out", checkpoint=checkpoint(trained_parts(published)))
    ours = tensors_of(tmp_path / "out")
    rows = report.config.language.vocabulary
    assert torch.equal(ours["language_model.embed_tokens.weight"], base()["model.embed_tokens.weight"][:rows])
    assert torch.equal(ours["fusion.seg_model.no_mem_embed"], sam2()["no_mem_embed"].float())
    tower = "patch_embed.proj.weight"
    expected = base()["model.vision_tower.vision_tower.encoder." + tower]
    assert torch.equal(ours["vision.vision_tower." + tower], expected)
    assert not report.config.segmentation.initial_fusion
    assert report.overridden == ()
    assert report.gate is None


def test_the_report_says_what_was_done(tmp_path, published):
    report = convert_goldens(tmp_path / "out")
    assert report.merged == 7 * report.config.language.layers
    parts = report.overridden_by_part()
    assert parts["fusion.seg_model"] == len(sam2())
    assert set(parts) == {
        "fusion.seg_model",
        "vision.vision_tower",
        "vision.mm_projector",
        "language_model.embed_tokens",
        "language_model.layers",
        "language_model.norm",
    }
    assert report.gate == pytest.approx(published[PEFT + "model.initial_seg_fusion_module.gate"].item())
    heads = {name for name in published if "lm_head" in name or "occ_predictor" in name}
    assert set(report.dropped) == {"lm_head.weight", *heads}


def test_prefixes_of_wrappers_are_stripped(tmp_path, converted, published, checkpoint):
    wrapped = {f"module.{name}": tensor for name, tensor in published.items()}
    convert_goldens(tmp_path / "wrapped", checkpoint=checkpoint(wrapped))
    bare = {name.removeprefix(PEFT): tensor for name, tensor in published.items()}
    convert_goldens(tmp_path / "bare", checkpoint=checkpoint(bare))
    for shard in converted.path.glob("*.safetensors"):
        assert sha256(tmp_path / "wrapped" / shard.name) == sha256(tmp_path / "bare" / shard.name) == sha256(shard)


def test_everything_is_cast_and_verified(tmp_path):
    convert_goldens(tmp_path / "out", dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in tensors_of(tmp_path / "out").values()} == {torch.bfloat16}
    ModelFolder.open(tmp_path / "out").verify()


def test_the_manifest_names_the_sources(converted):
    manifest = (converted.path / "manifest.json").read_text()
    for path in (CHECKPOINT / "virst_checkpoint.pt", CHECKPOINT / "sam2_base.pt"):
        assert f'"{path.name}": "{sha256(path)}"' in manifest


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_first_fusion_counts_as_untrained_at_its_first_values(dtype):
    tensors = {
        FIRST_FUSION + "gate": torch.tensor(0.1, dtype=dtype),
        FIRST_FUSION + "cross_attn.in_proj_bias": torch.zeros(6, dtype=dtype),
        FIRST_FUSION + "cross_attn.out_proj.bias": torch.zeros(2, dtype=dtype),
    }
    assert not was_trained(tensors)
    assert not was_trained({})
    assert was_trained(tensors | {FIRST_FUSION + "gate": torch.tensor(0.37, dtype=dtype)})
    for bias in ("in_proj_bias", "out_proj.bias"):
        name = FIRST_FUSION + "cross_attn." + bias
        assert was_trained(tensors | {name: tensors[name] + 1e-3})


@pytest.mark.parametrize("untrained", [False, True])
@pytest.mark.parametrize("asked", [None, False, True])
def test_the_first_fusion_is_used_if_trained_or_asked_for(untrained, asked, tmp_path, published, checkpoint):
    fusion = PEFT + "model.initial_seg_fusion_module."
    if untrained:
        published[fusion + "gate"] = torch.tensor(0.1)
        for bias in ("in_proj_bias", "out_proj.bias"):
            published[f"{fusion}cross_attn.{bias}"] = torch.zeros_like(published[f"{fusion}cross_attn.{bias}"])
    report = convert_goldens(tmp_path / "out", checkpoint=checkpoint(published), initial_fusion=asked)
    used = (not untrained) if asked is None else asked
    folder = ModelFolder.open(tmp_path / "out")
    assert report.config.segmentation.initial_fusion == folder.config.segmentation.initial_fusion == used
    assert any(name.startswith(FIRST_FUSION) for name in folder.names) == used
    assert any(name.startswith(FIRST_FUSION) for name in report.dropped) == (not used)


@pytest.mark.parametrize("gone", ["lora_A", "seg_prompter.decoder.0", "initial_seg_fusion_module.norm_q"])
def test_a_checkpoint_without_its_own_parts_is_refused(gone, tmp_path, published, checkpoint):
    kept = {name: tensor for name, tensor in published.items() if gone not in name}
    with pytest.raises(WeightsError, match=r"the checkpoint lacks \d+ of \d+ .*" + gone.split(".")[0]):
        convert_goldens(tmp_path / "out", checkpoint=checkpoint(kept))


def test_a_tensor_that_is_in_no_source_is_named(tmp_path, published, checkpoint):
    entries = base()
    del entries["model.norm.weight"]
    (tmp_path / "base").mkdir()
    save_file(entries, tmp_path / "base" / "model.safetensors")
    partial = checkpoint(trained_parts(published))
    with pytest.raises(WeightsError, match=r"neither .* has language_model\.norm\.weight"):
        convert_goldens(tmp_path / "out", checkpoint=partial, base=tmp_path / "base")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model.text_hidden_fcs.0.weight", "no VIRST model has: base_model.model.model.text_hidden_fcs.0.weight"),
        ("model.seg_model.extra", "fusion.seg_model.extra"),
        ("model.layers.99.self_attn.q_proj.lora_A.default.weight", "layers.99"),
    ],
)
def test_an_unknown_tensor_is_an_error_that_names_it(name, says, tmp_path, published, checkpoint):
    published[PEFT + name] = torch.zeros(1)
    with pytest.raises(WeightsError, match=says):
        convert_goldens(tmp_path / "out", checkpoint=checkpoint(published))


def test_a_tensor_that_is_there_twice_is_an_error(tmp_path, published, checkpoint):
    published["module." + LAYER + ".weight"] = published[LAYER + ".weight"]
    with pytest.raises(WeightsError, match=" twice"):
        convert_goldens(tmp_path / "out", checkpoint=checkpoint(published))


@pytest.mark.parametrize(
    ("tensor", "says"), [(torch.zeros(2, 3), r"expected \(.*\), got \(2, 3\)"), ("text", "is not a tensor but str")]
)
def test_a_tensor_with_the_wrong_shape_or_type_is_an_error_with_expected_and_got(tensor, says, tmp_path, published, checkpoint):
    published[PEFT + "model.seg_prompter.seg_proj.weight"] = tensor
    with pytest.raises(WeightsError, match=r"seg_prompter\.seg_proj\.weight.*" + says):
        convert_goldens(tmp_path / "out", checkpoint=checkpoint(published))


def test_integer_tensors_are_refused_as_weights(tmp_path, published, checkpoint):
    name = PEFT + "model.seg_prompter.seg_proj.weight"
    published[name] = published[name].int()
    with pytest.raises(WeightsError, match=r"expected floating point, got torch\.int32"):
        convert_goldens(tmp_path / "out", checkpoint=checkpoint(published))


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("which", ["checkpoint", "sam2"])
def test_a_malicious_pickle_is_refused_and_does_not_run(which, legacy, tmp_path):
    path, proof = tmp_path / "evil.pt", tmp_path / "ran"
    entry = {"checkpoint": "model_state_dict", "sam2": "model"}[which]
    torch.save({entry: {"x": Payload(proof)}}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=r"evil\.pt is (refused|not a checkpoint)"):
        convert_goldens(tmp_path / "out", **{which: path})
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists()  # the payload was a real one


@pytest.mark.parametrize("content", [b"", b"no pickle at all", b"PK\3\4 cut off"])
def test_a_file_that_is_not_a_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.pt"):
        convert_goldens(tmp_path / "out", checkpoint=path)
    with pytest.raises(WeightsError, match="does not exist"):
        convert_goldens(tmp_path / "out", checkpoint=tmp_path / "gone.pt")


def test_a_file_with_another_entry_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="no entry 'model_state_dict'"):
        convert_goldens(tmp_path / "out", checkpoint=tmp_path / "x.pt")


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    config = golden_config()
    other = dataclasses.replace(config, language=dataclasses.replace(config.language, vocabulary=7))
    with pytest.raises(WeightsError, match=r"expected 7 tokens with \[SEG\], got \d+"):
        convert_goldens(tmp_path / "out", config=other)


def test_a_base_folder_without_tensors_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"no \*\.safetensors"):
        convert_goldens(tmp_path / "out", base=tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match="can't be read"):
        convert_goldens(tmp_path / "out", base=tmp_path)


def test_shards_are_written_in_reading_order_and_piece_by_piece(tmp_path, monkeypatch):
    shards: list[str] = []
    earlier: list[weakref.ref[torch.Tensor]] = []
    write = FolderWriter.write_shard

    def watched(writer, name, tensors, pieces):
        assert all(tensor.is_meta for tensor in tensors.values())
        shards.append(name)
        write(writer, name, tensors, (watched_piece(piece) for piece in pieces))

    def watched_piece(piece):
        assert len([ref for ref in earlier if ref() is not None]) <= 2, "more than the last two pieces are in memory"
        earlier[:] = [ref for ref in earlier if ref() is not None] + [weakref.ref(piece)]
        return piece

    monkeypatch.setattr(FolderWriter, "write_shard", watched)
    report = convert_goldens(tmp_path / "out")
    layers = [f"layer-{number:02}" for number in range(report.config.language.layers)]
    assert shards == ["vision", "embeddings", *layers, "fusion"]


def test_rows_that_are_written_apart_give_the_same_files(tmp_path, converted, monkeypatch):
    monkeypatch.setattr(convert_module, "AT_ONCE", 1000)
    convert_goldens(tmp_path / "out")
    ours, whole = tensors_of(tmp_path / "out"), tensors_of(converted.path)
    assert ours.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-6, atol=1e-6, msg=name)


def test_a_source_with_another_sum_is_refused_with_expected_and_got(tmp_path):
    path = CHECKPOINT / "sam2_base.pt"
    convert_goldens(tmp_path / "right", sums={path: sha256(path)})
    with pytest.raises(WeightsError, match=rf"sam2_base\.pt .* expected sha256 {'0' * 64}, got {sha256(path)}"):
        convert_goldens(tmp_path / "wrong", sums={path: "0" * 64})
    assert not (tmp_path / "wrong").exists()


def test_an_update_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, published, checkpoint, monkeypatch):
    monkeypatch.setattr(FolderWriter, "write_shard", None)
    published[LAYER + ".lora_A.default.weight"] = published[LAYER + ".lora_A.default.weight"][:, 1:]
    with pytest.raises(WeightsError, match=r"LoRA of language_model\.layers\.0\.self_attn\.q_proj does not fit"):
        convert_goldens(tmp_path / "out", checkpoint=checkpoint(published))
