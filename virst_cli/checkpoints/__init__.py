"""Weights on disk: finding, downloading, converting and reading models.

A model folder holds everything about a model, and nothing that runs code when it is read:

    config.json                    sizes (model.config)
    tokenizer.json                 vocabulary
    *.safetensors                  tensors, named as in `model.virst.Virst`; tensors that are read together share a file
    model.safetensors.index.json   which tensor is in which file; not needed for a single model.safetensors
    manifest.json                  sha256 and bytes of every file above, and what it was made from

Finding:

    registry.py          the published models: where their parts are, and their sha256
    find.py              from a name to a folder
    inventory.py         lists, verifies and removes what is on this machine
    pins.py              what was downloaded: commits and sha256, recorded beside the files

Downloading:

    download.py          a model, or a part of one, complete and verified
    hub.py               one file: continues where it stopped, is verified, and takes its place
    hub_errors.py        errors of the Hub and of the connection, in one line

Reading:

    weights.py           memory-mapped tensors into modules that were built without memory
    stream.py            the language model, one layer in memory at a time
    prefetch.py          the same on an accelerator: the next layer is copied while one works
    sizes.py             how many parameters each part has
    manifest.py          writes and checks manifest.json
    verify_once.py       checks a large model only once
    repair_hint.py       what to do when a file is damaged

Converting:

    published_parts.py   finds the published parts on this machine
    convert.py           makes one model folder of them, some rows at a time
    tensor_names.py      their tensors under our names
    lora.py              low-rank updates, added to the weights
    tokenizer.py         Qwen2's vocabulary files as one tokenizer.json
    write_folder.py      writes a model folder, complete or not at all
    safetensors_file.py  writes a file of tensors piece by piece
"""
