"""The metric goldens: data sets, predictions, and what the published evaluators make of them."""

import json
import os
from pathlib import Path
from typing import Any

GOLDENS = Path(os.environ.get("VIRST_GOLDENS", Path(__file__).parents[1] / "goldens")) / "metrics"
MEVIS, DAVIS, REVOS = (GOLDENS / f"{name}_mini" for name in ("mevis", "davis", "revos"))


def expected(mini: Path) -> Any:
    """What the published evaluator of a mini set gave."""
    return json.loads((mini / "expected.json").read_text())
