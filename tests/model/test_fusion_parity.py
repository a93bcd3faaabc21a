"""Both spatio-temporal fusions against the published modules."""

import pytest
import torch
from torch import Tensor

from tests.goldens_config import tensors
from virst_cli.model.fusion import QueriesAndKeys

FIRST, SECOND = "initial_fusion.safetensors", "seg_prompter.safetensors"


def features(golden: dict[str, Tensor], case: str) -> Tensor:
    """The set keeps vision features small: every 8x8 cell is a block of one value times a pattern."""
    small = golden[f"{case}.vision_small"]
    pattern = golden[f"{case}.pattern"]
    scale = pattern.shape[-1] // small.shape[-1]
    blocks = small.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    return (blocks * pattern)[None]  # 1,T,C,h,w


def cases(file: str) -> list[str]:
    return sorted({name.split(".")[0] for name in tensors(file)})


@pytest.mark.parametrize("case", cases(FIRST))
def test_seg_embeddings_see_the_frames_as_published(case, model, agree):
    golden = tensors(FIRST)
    ours = model.fusion.fuse_seg_tokens(golden[f"{case}.seg_embeds"][0], features(golden, case)[0])
    agree(FIRST, f"{case}.output", ours[None], golden[f"{case}.output"])


@pytest.mark.parametrize("case", cases(SECOND))
def test_seg_states_become_the_published_prompts(case, model, agree):
    golden = tensors(SECOND)
    prompter, states, maps = model.fusion.seg_prompter, golden[f"{case}.seg_tokens"], features(golden, case)
    grids = prompter.grids(maps)
    memory = golden[f"{case}.memory"]
    agree(SECOND, f"{case}.memory", grids.flatten(1, 2)[:, : memory.shape[1]], memory)

    seen: list[Tensor] = []
    after: list[Tensor] = []
    hook = prompter.decoder[0].register_forward_hook(lambda module, inputs, output: after.append(output[0]))
    looked: list[QueriesAndKeys] = []
    seen.append(prompter.mask_prompts(states, grids, looked))
    hook.remove()
    agree(SECOND, f"{case}.output", seen[0], golden[f"{case}.output"])
    agree(SECOND, f"{case}.output", model.fusion.mask_prompts(states, maps[0]), golden[f"{case}.output"])
    if f"{case}.after_layer0" in golden:
        layer0 = golden[f"{case}.after_layer0"]
        agree(SECOND, f"{case}.after_layer0", after[0].view(layer0.shape), layer0)
    frames = maps.shape[1]
    score = looked[-1].logits().softmax(-1).unflatten(-1, (frames, -1)).mean((1, 2, 3)).mean(-1)
    agree(SECOND, f"{case}.frame_score", score, golden[f"{case}.frame_score"])


def test_many_sentences_get_the_prompts_that_each_gets_alone(model):
    golden = tensors(SECOND)
    maps = features(golden, "T4")[0]
    states = torch.cat([golden["T4.seg_tokens"], golden["T8.seg_tokens"]])
    together = model.fusion.mask_prompts(states, maps)
    alone = torch.cat([model.fusion.mask_prompts(state[None], maps) for state in states])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
