"""Writes a model folder: shard by shard under a temporary name, and under its own name only when it is complete."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from virst_cli.checkpoints import safetensors_file
from virst_cli.checkpoints.manifest import CONFIG, INDEX, MANIFEST, TOKENIZER, manifest_text
from virst_cli.errors import OutputError
from virst_cli.files.atomic import partial, remove, sync_folder, write_text, writing
from virst_cli.files.lock import Lock
from virst_cli.model.config import VirstConfig


class FolderWriter:
    """Writes the files of a model one after the other; none is kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._weight_map: dict[str, str] = {}
        self._bytes = 0

    def write_shard(self, name: str, tensors: Mapping[str, Tensor], pieces: Iterable[Tensor] | None = None) -> None:
        """Writes tensors that are read together as `<name>.safetensors`.

        tensors: by name. With `pieces` they may be on the meta device.
        pieces: the contents of the tensors in order, in pieces of any size, for tensors that are too large for memory together.
        """
        path = self.folder / f"{name}.safetensors"
        safetensors_file.write(path, tensors, tensors.values() if pieces is None else pieces)
        self._weight_map |= dict.fromkeys(tensors, path.name)
        self._bytes += sum(tensor.nbytes for tensor in tensors.values())

    def finish(self, config: VirstConfig, tokenizer: Tokenizer, source: Mapping[str, Any]) -> None:
        """Writes everything but the tensors: index, configuration, tokenizer, and the manifest last.

        source: what the model was made from, for the manifest.
        """
        index = {"metadata": {"total_size": self._bytes}, "weight_map": self._weight_map}
        write_text(self.folder / INDEX, json.dumps(index, indent=1) + "\n")
        write_text(self.folder / CONFIG, config.to_json())
        write_text(self.folder / TOKENIZER, tokenizer.to_str())
        write_text(self.folder / MANIFEST, manifest_text(self.folder, name=config.name, source=source))


@contextmanager
def new_model_folder(output: Path) -> Iterator[FolderWriter]:
    """Gives a writer for a folder that does not exist yet; it appears when the block ends well, and not at all otherwise.

    Raises OutputError if the folder exists or another process is writing it, DiskFull if there is no space left.
    """
    _check_free(output)
    unfinished = partial(output)
    with writing(output):
        unfinished.mkdir(parents=True, exist_ok=True)
        with Lock(unfinished) as lock:
            try:
                _check_free(output)  # another process may have finished in the meantime
                for left in unfinished.iterdir():  # from a process that was killed
                    if left != lock.path:
                        remove(left)
                yield FolderWriter(unfinished)
                unfinished.rename(output)
                lock.path = output / lock.path.name  # the lock file was moved with the folder, and is deleted there
                sync_folder(output.parent)
            except BaseException:  # Ctrl-C too
                remove(unfinished)
                raise


def _check_free(output: Path) -> None:
    if output.exists():
        raise OutputError(f"{output} exists already; remove it, or choose another name")
