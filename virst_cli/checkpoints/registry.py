"""The published models by name: where their parts are, and the sha256 that shows that they are the right ones.

A commit or sha256 in this table is compared before anything is used. One that is missing here is not known beforehand: it is
recorded at the first download (trust on first use, see pins.py) and compared from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from virst_cli.model.config import VIRST_7B, VirstConfig


@dataclass(frozen=True)
class HubPart:
    """A part of a model that is on the Hub. bytes: approximate size of its files."""

    repository: str
    files: tuple[str, ...]  # names or patterns
    bytes: int
    licence: str
    revision: str = "main"  # a commit, or a name whose commit is recorded at the first download
    sha256: Mapping[str, str] = field(default_factory=dict)  # of the files whose sum is known beforehand


@dataclass(frozen=True)
class HandPart:
    """A part of a model that is on its authors' drive, from where the user has to download it by hand."""

    file: str
    url: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Published:
    """A model that is converted from published parts. bytes: approximate size after conversion."""

    name: str
    good_for: str
    bytes: int
    config: VirstConfig
    base: HubPart
    sam2: HubPart
    checkpoint: HandPart

    @property
    def hub_parts(self) -> tuple[HubPart, HubPart]:
        """The parts that `virst weights pull` downloads."""
        return self.base, self.sam2

    @property
    def download_bytes(self) -> int:
        """Approximate bytes that are downloaded from the Hub."""
        return sum(part.bytes for part in self.hub_parts)

    @property
    def pull_command(self) -> str:
        """The command that downloads the parts from the Hub."""
        return f"virst weights pull {self.name}"

    @property
    def import_command(self) -> str:
        """The command that converts the parts once all are on this machine."""
        return f"virst weights import {self.checkpoint.file}"


EMBEDDED = "virst-nano"
EMBEDDED_IS_GOOD_FOR = "trying the tool out: it knows only its synthetic world of sprites"

PUBLISHED = {
    "virst-7b": Published(
        name="virst-7b",
        good_for="real videos: the published model",
        bytes=15_300_000_000,
        config=VIRST_7B,
        base=HubPart(
            repository="OpenGVLab/VideoChat-Flash-Qwen2-7B_res448",
            files=("*.safetensors", "vocab.json", "merges.txt", "tokenizer_config.json"),
            bytes=15_900_000_000,
            licence="see its page on the Hub",
        ),
        sam2=HubPart(
            repository="facebook/sam2.1-hiera-large",
            files=("sam2.1_hiera_large.pt",),
            bytes=900_000_000,
            licence="Apache-2.0",
            sha256={"sam2.1_hiera_large.pt": "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"},
        ),
        checkpoint=HandPart(
            file="virst_checkpoint.pt",
            url="https://drive.google.com/file/d/19PrTMWWzGHBTrZ0JTe1feH205vjHkoNx/view",
            sha256="bd4a70841c1334e77669265b0a0dbd3e580a46e2f0b739e2f48cf8e6cd3ba8a4",  # as others report it
            licence="none stated by its authors",
        ),
    )
}


def part_of(repository: str) -> Published | None:
    """The published model that a repository on the Hub is a part of; None if there is none."""
    return next((m for m in PUBLISHED.values() if any(part.repository == repository for part in m.hub_parts)), None)
