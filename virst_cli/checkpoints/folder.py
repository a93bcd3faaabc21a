"""Writing a model folder: shard by shard beside its place, and under its name only when it is whole."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from virst_cli.checkpoints.manifest import MANIFEST, manifest_text
from virst_cli.checkpoints.weights import CONFIG, INDEX, TOKENIZER
from virst_cli.errors import OutputError
from virst_cli.model.config import VirstConfig
from virst_cli.outputs.files import partial, remove, settle, writing


class FolderWriter:
    """Takes a model's shards one after the other; none is kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._weight_map: dict[str, str] = {}
        self._bytes = 0

    def shard(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write tensors that are read together as `<name>.safetensors`."""
        path = self.folder / f"{name}.safetensors"
        try:
            save_file(dict(tensors), path, metadata={"format": "pt"})
        except SafetensorError as error:  # what the operating system says is in its text only
            raise OSError(errno.ENOSPC if "No space left" in str(error) else errno.EIO, str(error)) from error
        _flush(path)
        self._weight_map |= dict.fromkeys(tensors, path.name)
        self._bytes += sum(tensor.nbytes for tensor in tensors.values())

    def finish(self, config: VirstConfig, tokenizer: Tokenizer, source: Mapping[str, Any]) -> None:
        index = {"metadata": {"total_size": self._bytes}, "weight_map": self._weight_map}
        self._write(INDEX, json.dumps(index, indent=1) + "\n")
        self._write(CONFIG, config.to_json())
        self._write(TOKENIZER, tokenizer.to_str())
        self._write(MANIFEST, manifest_text(self.folder, name=config.name, source=source))

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")
        _flush(self.folder / name)


@contextmanager
def new_model_folder(output: Path) -> Iterator[FolderWriter]:
    """A writer for a folder that does not exist yet; it appears when the block ends well, and not at all otherwise.

    Raises OutputError when there is something under that name.
    """
    if output.exists():
        raise OutputError(f"{output} exists already; remove it or choose another name")
    unfinished = partial(output)
    with writing(output):
        remove(unfinished)  # left by a run that was killed
        unfinished.mkdir(parents=True)
        try:
            yield FolderWriter(unfinished)
            unfinished.rename(output)
            settle(output.parent)
        finally:
            remove(unfinished)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
