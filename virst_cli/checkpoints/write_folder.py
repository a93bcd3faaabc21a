"""Writing a model folder: shard by shard beside its place, and under its name only when it is whole."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from virst_cli.checkpoints import safetensors_file
from virst_cli.checkpoints.manifest import CONFIG, INDEX, MANIFEST, TOKENIZER, manifest_text
from virst_cli.errors import OutputError
from virst_cli.files.atomic import partial, remove, sync_folder, writing
from virst_cli.files.lock import Lock
from virst_cli.model.config import VirstConfig


class FolderWriter:
    """Takes a model's shards one after the other; none is kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._weight_map: dict[str, str] = {}
        self._bytes = 0

    def shard(self, name: str, tensors: Mapping[str, Tensor], pieces: Iterable[Tensor] | None = None) -> None:
        """Write tensors that are read together as `<name>.safetensors`.

        pieces: where the tensors are too large to be in memory, they may be on the meta device, and their contents come one after
        the other, cut as one likes.
        """
        path = self.folder / f"{name}.safetensors"
        safetensors_file.write(path, tensors, tensors.values() if pieces is None else pieces)
        self._weight_map |= dict.fromkeys(tensors, path.name)
        self._bytes += sum(tensor.nbytes for tensor in tensors.values())

    def finish(self, config: VirstConfig, tokenizer: Tokenizer, source: Mapping[str, Any]) -> None:
        index = {"metadata": {"total_size": self._bytes}, "weight_map": self._weight_map}
        self._write(INDEX, json.dumps(index, indent=1) + "\n")
        self._write(CONFIG, config.to_json())
        self._write(TOKENIZER, tokenizer.to_str())
        self._write(MANIFEST, manifest_text(self.folder, name=config.name, source=source))

    def _write(self, name: str, text: str) -> None:
        with (self.folder / name).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def new_model_folder(output: Path) -> Iterator[FolderWriter]:
    """A writer for a folder that does not exist yet; it appears when the block ends well, and not at all otherwise.

    Raises OutputError when there is something under that name, or another process is about to put something there.
    """
    _check_free(output)
    unfinished = partial(output)
    with writing(output):
        unfinished.mkdir(parents=True, exist_ok=True)
        with Lock(unfinished) as lock:
            try:
                _check_free(output)  # another process may just have finished
                for left in unfinished.iterdir():  # by a run that was killed
                    if left != lock.path:
                        remove(left)
                yield FolderWriter(unfinished)
                unfinished.rename(output)
                lock.path = output / lock.path.name  # it went along, and closes there
                sync_folder(output.parent)
            except BaseException:  # Ctrl-C too
                remove(unfinished)
                raise


def _check_free(output: Path) -> None:
    if output.exists():
        raise OutputError(f"{output} exists already; remove it or choose another name")
