"""Half the bits: what the language model makes of the golden visual tokens stays close to the golden [SEG] states.

It begins from golden values, for token merging decides between tokens that are nearly alike.
"""

import pytest
import torch

from tests.goldens_config import CHECKPOINT, GOLDENS, facts, tensors
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.language import LanguageModel
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import pack

CASE = sorted(path.parent.name for path in (GOLDENS / "end_to_end").glob("short*/golden.json"))[0]
BOUNDS = {torch.float32: 1e-4, torch.float16: 0.01, torch.bfloat16: 0.05}  # mean difference relative to the mean size


def off(ours: torch.Tensor, golden: torch.Tensor) -> float:
    assert ours.shape == golden.shape
    return ((ours.float() - golden.float()).abs().mean() / golden.float().abs().mean()).item()


@pytest.mark.parametrize("dtype", BOUNDS)
def test_all_precisions_agree_with_the_goldens(dtype: torch.dtype, golden_folders: dict[bool, ModelFolder]):
    said, golden = facts(f"end_to_end/{CASE}/golden.json"), tensors(f"end_to_end/{CASE}/golden.safetensors")
    folder = golden_folders[said["initial_fusion"]]
    prompt = PromptBuilder(read_tokenizer(CHECKPOINT / "tokenizer")).build(
        said["expression"], question=said["question_template"], answer=said["answer_template"]
    )
    language = folder.build(lambda: LanguageModel(folder.config.language), "language_model.", device="cpu", dtype=dtype)
    seg = golden["fused_seg_embeddings"][0] if said["initial_fusion"] else None
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        states = pack(golden["visual_tokens"][0].float(), [prompt], language.embed_tokens, seg).seg_states(language)
    assert states.dtype == dtype
    assert off(states, golden["seg_hidden_states"]) < BOUNDS[dtype]
