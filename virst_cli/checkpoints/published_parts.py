"""The published model: two parts from the Hub, one from a drive, put together here."""

from dataclasses import dataclass
from pathlib import Path

from virst_cli.checkpoints.pins import Pins
from virst_cli.checkpoints.registry import HubPart, Published
from virst_cli.errors import WeightsError


@dataclass(frozen=True)
class PublishedParts:
    """Where the parts are. sums: sha256 of the files of which it is known."""

    checkpoint: Path
    base: Path
    sam2: Path
    tokenizer: Path
    sums: dict[Path, str]


def gather(
    model: Published, checkpoint: Path, *, base: Path | None, sam2: Path | None, tokenizer: Path | None, is_published: bool
) -> PublishedParts:
    """The parts of a model; what is not given is taken from what was pulled.

    is_published: the result is to be called by the published model's name, so its files have to be the published ones. Raises
    WeightsError that says how to get what is missing.
    """
    sums: dict[Path, str] = {}
    if base is None:
        base = _pulled(model, model.base, sums)
    if sam2 is None:
        sam2 = _pulled(model, model.sam2, sums) / model.sam2.files[0]
    if is_published:
        sums |= {checkpoint: model.checkpoint.sha256, sam2: model.sam2.sha256[model.sam2.files[0]]}
    return PublishedParts(checkpoint, base, sam2, tokenizer or base, sums)


def _pulled(model: Published, part: HubPart, sums: dict[Path, str]) -> Path:
    pins = Pins(part.repository)
    folder = pins.whole(part.revision)
    if folder is None:
        option = "--base" if part is model.base else "--sam2"
        raise WeightsError(f"{part.repository} is not on this machine; get it with `{model.pull_command}`, or give {option}")
    sums |= {folder / name: digest for name, digest in pins.sums(pins.commit(part.revision)).items()}
    return folder
