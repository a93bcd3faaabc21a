"""Weights on disk: model folders, how they come from the Hub, and how the published checkpoint becomes one.

A model folder holds everything about a model, and nothing that runs code when it is read:

    config.json                    sizes (model.config)
    tokenizer.json                 vocabulary
    *.safetensors                  tensors, named as in `model.virst.Virst`; a shard holds what is read together
    model.safetensors.index.json   which tensor is in which shard; not needed for a single model.safetensors
    manifest.json                  sha256 and bytes of every file above, and what it was made from

Finding:

    registry.py    the table of models that are known by name: where their parts are, and their sums
    store.py       from a name to a folder
    inventory.py   what is here under which name; and away with it
    pins.py        what was downloaded: commits and sums, recorded beside the files

Downloading:

    download.py    a model, or a part of one, whole and checked
    hub.py         one file: received where it stopped, compared, put in place
    hub_errors.py  what goes wrong, in one line

Reading:

    weights.py     tensors, memory-mapped, into modules that were built without any
    stream.py      the language model, one layer in memory at a time
    manifest.py    writes and checks manifest.json
    trust.py       checks large models once
    remedy.py      what helps when something is damaged

Converting:

    published.py   where the published parts are
    convert.py     puts them together, some rows at a time
    sources.py     their tensors under our names
    lora.py        low-rank updates, merged
    tokenizer.py   Qwen2's vocabulary files as one tokenizer.json
    folder.py      writes a model folder, whole or not at all
    safetensors_file.py  writes a file of tensors piece by piece
    filenames.py   what the files are called
"""
