"""What a benchmark run found, and the object that `virst bench --json` prints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from virst_cli.bench.samples import NOTHING
from virst_cli.bench.scores import Row, by_type, means

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """The rows of one run. `missing` names what was not there and counted as 0: such a run has failed (exit code 1)."""

    dataset: str
    model: str | None  # None for masks from elsewhere
    rows: Sequence[Row]
    missing: Sequence[str]
    videos: int
    fps: float | None  # frames a second while the model was at work, all sentences of a video together
    peak_memory: int | None  # bytes of RAM; None where the system does not tell
    baselines: dict[str, Sequence[Row]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The object of `bench --json`. Scores and shares x 100, unrounded."""
        found: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "dataset": self.dataset,
            "model": self.model,
            **_summary(self.rows),
            "videos": self.videos,
            "expressions": len(self.rows),
            "missing": list(self.missing),
            "fps": self.fps,
            "peak_memory_bytes": self.peak_memory,
        }
        if any(row.type == NOTHING for row in self.rows):
            found["answered_empty"] = answered_empty(self.rows)
        if self.baselines:
            found["baselines"] = {name: _summary(rows) for name, rows in self.baselines.items()}
        return found


def answered_empty(rows: Sequence[Row]) -> dict[str, float | None]:
    """Percent of sentences answered without a pixel: of those that mean nothing (100 is best) and of the others (0 is).

    None for a group without sentences.
    """
    groups = {
        NOTHING: [row.empty for row in rows if row.type == NOTHING],
        "others": [row.empty for row in rows if row.type != NOTHING],
    }
    return {name: 100 * fmean(empty) if empty else None for name, empty in groups.items()}


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    types = {name: {**means(group), "n": len(group)} for name, group in by_type(rows).items()}
    return {"scores": means(rows), "by_type": types}
