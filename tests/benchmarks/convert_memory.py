"""How much memory a conversion needs, on made-up checkpoints: `python -m tests.benchmarks.convert_memory`.

Two checkpoints in the published format, the second with twice the layers of the first, are converted, each in its own process.
The peak must depend neither on the size of the checkpoint nor on its largest tensor. Sizes are compared with sizes, never times.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from virst_cli.checkpoints.convert import OPEN_FOR, convert, tensor_shapes
from virst_cli.checkpoints.lora import lora_names
from virst_cli.checkpoints.tensor_names import OURS
from virst_cli.model.config import HieraConfig, LanguageConfig, SegmentationConfig, VirstConfig, VisionConfig

RANK = 64
SLACK = 150_000_000  # bytes beside what is mapped at a time: rows on their way, torch's own buffers
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def sizes(layers: int, width: int = 1024) -> VirstConfig:
    """A model whose embeddings are by far its largest tensor, as in the published one, and more than is held at a time."""
    return VirstConfig(
        "made-up",
        VisionConfig(image_size=160, width=64, blocks=2, heads=4, merging_heads=4),
        LanguageConfig(width=width, layers=layers, heads=8, key_value_heads=4, mlp=4 * width, vocabulary=128 * width),
        SegmentationConfig(
            image_size=256,
            width=64,
            memory_width=16,
            trunk=HieraConfig(embed_dim=16, heads=1, stages=(1, 1, 2, 1), global_blocks=(3,), windows=(8, 4, 8, 4)),
            fusion_strides=(2,),
        ),
    )


def make(folder: Path, config: VirstConfig) -> None:
    """Parts as they are published: everything in a float32 checkpoint with updates, and a base model in bfloat16 below it."""
    shapes = tensor_shapes(config)
    language = {name: shape for name, shape in shapes.items() if not name.startswith("fusion.seg_model.")}
    (folder / "base").mkdir(parents=True)
    vocabulary = {f"token{number}": number for number in range(config.language.vocabulary - len(SPECIAL) - 1)}
    added = {str(len(vocabulary) + number): {"content": token} for number, token in enumerate(SPECIAL)}
    (folder / "base" / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "base" / "merges.txt").write_text("#version: 0.2\n")
    (folder / "base" / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    save_file(
        {theirs(name): filled(shape, torch.bfloat16) for name, shape in language.items() if not name.startswith("fusion.")},
        folder / "base" / "model.safetensors",
    )
    sam2 = {name: shape for name, shape in shapes.items() if name.startswith("fusion.seg_model.")}
    prefix = "model.seg_model."
    torch.save({"model": {theirs(name).removeprefix(prefix): filled(shape) for name, shape in sam2.items()}}, folder / "sam2.pt")
    trained = {theirs(name): filled(shape) for name, shape in shapes.items()} | dict(updates(shapes, config))
    torch.save(
        {"model_state_dict": {f"base_model.model.{name}": tensor for name, tensor in trained.items()}}, folder / "virst.pt"
    )


def updates(shapes: dict[str, torch.Size], config: VirstConfig) -> Iterator[tuple[str, Tensor]]:
    for name in shapes:
        module = name.removesuffix(".weight")
        if name.startswith("language_model.layers.") and module.endswith("_proj"):
            down, up = lora_names(module)
            yield theirs(down), filled(torch.Size((RANK, shapes[name][1])))
            yield theirs(up), filled(torch.Size((shapes[name][0], RANK)))


def theirs(name: str) -> str:
    """The published name of a tensor."""
    published, ours = next((published, ours) for published, ours in OURS.items() if name.startswith(ours))
    return published + name.removeprefix(ours)


def filled(shape: torch.Size, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.full(shape, 0.01, dtype=dtype)


def peak() -> int:
    """The most memory that this process ever had, mapped files included, in bytes (Linux)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def growth(folder: Path, layers: int) -> int:
    """Bytes by which a conversion raises the peak of this process."""
    before, base = peak(), folder / "base"
    convert(folder / "virst.pt", base=base, sam2=folder / "sam2.pt", tokenizer=base, output=folder / "out", config=sizes(layers))
    return peak() - before


def apart(what: str, folder: Path, layers: int) -> str:
    """What a new process prints."""
    command = [sys.executable, "-m", "tests.benchmarks.convert_memory", what, str(folder), str(layers)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> int:
    peaks = []
    for layers in (4, 8):
        with tempfile.TemporaryDirectory() as there:
            folder = Path(there) / "parts"
            apart("make", folder, layers)
            files = sum(path.stat().st_size for path in folder.rglob("*.*") if path.is_file())
            peaks.append(int(apart("convert", folder, layers)))
        largest = max(shape.numel() for shape in tensor_shapes(sizes(layers)).values()) * 4
        said = f"{files / 1e6:.0f} MB of files, largest tensor {largest / 1e6:.0f} MB, peak grew by {peaks[-1] / 1e6:.0f} MB"
        print(f"{layers} layers: {said}")
    return 0 if max(peaks) < OPEN_FOR + SLACK else 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", folder, layers]:
            make(Path(folder), sizes(int(layers)))
        case ["convert", folder, layers]:
            print(growth(Path(folder), int(layers)))
        case _:
            raise SystemExit(main())
