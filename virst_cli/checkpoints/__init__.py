"""Weights on disk: model folders, and how the published checkpoint becomes one.

A model folder holds everything about a model, and nothing that runs code when it is read:

    config.json                    sizes (model.config)
    tokenizer.json                 vocabulary
    *.safetensors                  tensors, named as in `model.virst.Virst`; a shard holds what is read together
    model.safetensors.index.json   which tensor is in which shard; not needed for a single model.safetensors
    manifest.json                  sha256 and bytes of every file above, and what it was made from

    manifest.py    writes and checks manifest.json
    weights.py     reads tensors, memory-mapped, into modules that were built without any
    stream.py      the language model, one layer in memory at a time
    folder.py      writes a model folder, atomically
    sources.py     the published files under our tensor names
    lora.py        low-rank updates, merged
    tokenizer.py   Qwen2's vocabulary files as one tokenizer.json
    convert.py     puts the last four together
"""
