"""Finds the parts of the published model on this machine: two come from the Hub, one from its authors' drive."""

from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints.pins import Pins
from virst_cli.checkpoints.registry import HubPart, Published
from virst_cli.errors import WeightsError


@dataclass(frozen=True)
class PublishedParts:
    """Files and folders that a model is converted from.

    checkpoint: the VIRST checkpoint, a file.
    base: folder of the base model.
    sam2: the SAM 2.1 checkpoint, a file.
    tokenizer: folder of the tokenizer.
    sums: sha256 of the files whose sha256 is known.
    """

    checkpoint: Path
    base: Path
    sam2: Path
    tokenizer: Path
    sums: dict[Path, str]


def find_parts(
    model: Published, checkpoint: Path, *, base: Path | None, sam2: Path | None, tokenizer: Path | None, is_published: bool
) -> PublishedParts:
    """The parts of a model; a part that is None is taken from the downloaded ones.

    is_published: whether the result is to have the published model's name, so that its files must be the published ones.

    Raises WeightsError that says how to get a missing part.
    """
    sums: dict[Path, str] = {}
    if base is None:
        base = _downloaded(model, model.base, sums)
    if sam2 is None:
        sam2 = _downloaded(model, model.sam2, sums) / model.sam2.files[0]
    if is_published:
        sums |= {checkpoint: model.checkpoint.sha256, sam2: model.sam2.sha256[model.sam2.files[0]]}
    return PublishedParts(checkpoint, base, sam2, tokenizer or base, sums)


def _downloaded(model: Published, part: HubPart, sums: dict[Path, str]) -> Path:
    """The folder of a downloaded part; adds the sha256 of its files to `sums`."""
    pins = Pins(part.repository)
    folder = pins.complete_folder(part.revision)
    if folder is None:
        option = "--base" if part is model.base else "--sam2"
        raise WeightsError(f"{part.repository} is not on this machine; download it with `{model.pull_command}`, or give {option}")
    sums |= {folder / name: digest for name, digest in pins.sums(pins.commit(part.revision)).items()}
    return folder
