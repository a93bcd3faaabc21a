"""The published model in the golden set's sizes: its parts on the Hub, and a `virst` that expects just these.

The table of models is the same but for the sizes and the sums of these files, so commands can be typed as for the real ones.
"""

import dataclasses
import json
import sys
from pathlib import Path

from tests.checkpoints.hub.server import Hub
from tests.goldens_config import CHECKPOINT, golden_config
from virst_cli.checkpoints.manifest import sha256
from virst_cli.checkpoints.tokenizer import FILES

BASE, SAM2 = "OpenGVLab/VideoChat-Flash-Qwen2-7B_res448", "facebook/sam2.1-hiera-large"
PROGRAM = """#!{python}
import dataclasses, sys
sys.path.insert(0, {root!r})
from virst_cli.app import main
from virst_cli.checkpoints import registry
from virst_cli.model.config import VirstConfig

real = registry.PUBLISHED["virst-7b"]
registry.PUBLISHED["virst-7b"] = dataclasses.replace(
    real,
    config=VirstConfig.from_json({config!r}),
    sam2=dataclasses.replace(real.sam2, sha256={{real.sam2.files[0]: {sam2!r}}}),
    checkpoint=dataclasses.replace(real.checkpoint, sha256={checkpoint!r}),
)
main()
"""


def publish(hub: Hub) -> None:
    """Put both parts on the Hub, as their owners did."""
    base = CHECKPOINT / "videochat_base"
    code = {"modeling_videochat_flash.py": b"raise SystemExit('code was run')", "config.json": b'{"auto_map": {}}'}
    hub.publish(
        BASE, {**{file.name: file for file in base.iterdir()}, **{n: CHECKPOINT / "tokenizer" / n for n in FILES}, **code}
    )
    hub.publish(SAM2, {"sam2.1_hiera_large.pt": CHECKPOINT / "sam2_base.pt", "README.md": b"hello"})


def install(folder: Path) -> Path:
    """The program `virst` in a folder, for PATH."""
    config = dataclasses.replace(golden_config(), name="virst-7b").to_json()
    folder.mkdir()
    (folder / "virst").write_text(
        PROGRAM.format(
            python=sys.executable,
            root=str(Path(__file__).parents[3]),
            config=json.dumps(json.loads(config)),
            sam2=sha256(CHECKPOINT / "sam2_base.pt"),
            checkpoint=sha256(CHECKPOINT / "virst_checkpoint.pt"),
        )
    )
    (folder / "virst").chmod(0o755)
    return folder
