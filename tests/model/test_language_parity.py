"""Prompt ids, spliced embeddings and hidden states against the published language model."""

from tests.goldens_config import CHECKPOINT, facts, tensors
from virst_cli.checkpoints.tokenizer import read_tokenizer
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import pack

FILE = "inputs_embeds.safetensors"


def test_the_language_model_reads_and_answers_as_published(model, agree):
    golden, recorded = tensors(FILE), facts("inputs_embeds.json")
    prompt = PromptBuilder(read_tokenizer(CHECKPOINT / "tokenizer")).build(
        recorded["expression"], question=recorded["question_template"], answer=recorded["answer_template"]
    )
    assert list(prompt.ids) == recorded["input_ids"]
    assert prompt.placeholder == recorded["placeholder_index"]
    frames = tensors("vision_tower.safetensors")["clips"].float().flatten(0, 1)

    visual = model.vision(frames)
    packed = pack(visual, [prompt], model.language_model.embed_tokens)
    layers = []
    hook = model.language_model.layers[0].register_forward_hook(lambda module, inputs, output: layers.append(output))
    hidden = model.language_model(packed.embeddings[None], packed.positions[None], packed.mask[None])
    hook.remove()

    assert packed.seg_places[0].tolist() == recorded["seg_positions_after_insertion"]
    agree(FILE, "visual_tokens", visual[None], golden["visual_tokens"])
    agree(FILE, "inputs_embeds", packed.embeddings[None], golden["inputs_embeds"])
    agree(FILE, "hidden_after_layer0", layers[0], golden["hidden_after_layer0"])
    agree(FILE, "last_hidden_state", hidden, golden["last_hidden_state"])
    agree(FILE, "seg_hidden_states", packed.seg_states(model.language_model), golden["seg_hidden_states"])
