"""What a benchmark run found, and the object that `virst bench --json` prints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from virst_cli.bench.published_scores import published
from virst_cli.bench.samples import NOTHING
from virst_cli.bench.scores import ExpressionScore, Scores, by_type, by_video, means, revos_groups

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """The rows of one run. `missing` names what was not there and counted as 0: such a run has failed (exit code 1)."""

    dataset: str
    model: str | None  # None for masks from elsewhere
    rows: Sequence[ExpressionScore]
    missing: Sequence[str]
    videos: int
    fps: float | None  # frames a second while the model was at work, all sentences of a video together
    peak_memory: int | None  # bytes of RAM; None where the system does not tell
    baselines: dict[str, Sequence[ExpressionScore]] = field(default_factory=dict)
    hidden: int = 0  # expressions without a row, for only a server can score them
    extra: Sequence[str] = ()  # files among the masks that belong to no frame; they change nothing
    standard: Sequence[ExpressionScore] = ()  # the objects of Ref-DAVIS17 by its standard protocol

    @property
    def scores(self) -> Scores | None:
        """J, F and J&F x 100 of the whole data set; None where only a server can tell. Of ReVOS the published average."""
        scores = self.groups["overall"] if self.dataset == "revos" else means(self.rows) if self.rows else None
        return None if scores is None else _only_j_and_f(scores)

    @property
    def groups(self) -> dict[str, Scores | None]:
        """The published averages of ReVOS; empty for other data sets."""
        return revos_groups(self.rows) if self.dataset == "revos" else {}

    @property
    def protocols(self) -> dict[str, Scores | None]:
        """Both ways to score Ref-DAVIS17, None where not four annotators described each object; empty for other data sets."""
        if self.dataset != "ref-davis17":
            return {}
        return {"per_expression": self.scores, "standard": means(self.standard) if self.standard else None}

    def as_dict(self) -> dict[str, Any]:
        """The object of `bench --json`. Scores and shares x 100, unrounded."""
        found: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "dataset": self.dataset,
            "model": self.model,
            "scores": self.scores,
            "by_type": _counted(by_type(self.rows)),
        }
        for name in ("groups", "protocols"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        found |= {
            "by_video": _counted(by_video(self.rows)),
            "videos": self.videos,
            "expressions": len(self.rows) + self.hidden,
            "missing": list(self.missing),
            "extra": list(self.extra),
            "fps": self.fps,
            "peak_memory_bytes": self.peak_memory,
        }
        if any(row.type == NOTHING for row in self.rows):
            found["answered_empty"] = answered_empty(self.rows)
        if self.baselines:
            found["baselines"] = {
                name: {"scores": means(rows), "by_type": _counted(by_type(rows))} for name, rows in self.baselines.items()
            }
        if others := published(self.dataset):
            found["published"] = [other.as_dict() for other in others]
        return found


def answered_empty(rows: Sequence[ExpressionScore]) -> dict[str, float | None]:
    """Percent of sentences answered without a pixel: of those that mean nothing (100 is best) and of the others (0 is).

    None for a group without sentences.
    """
    groups = {
        NOTHING: [row.empty for row in rows if row.type == NOTHING],
        "others": [row.empty for row in rows if row.type != NOTHING],
    }
    return {name: 100 * fmean(empty) if empty else None for name, empty in groups.items()}


def _counted(groups: dict[str, list[ExpressionScore]]) -> dict[str, Any]:
    return {name: {**means(rows), "n": len(rows)} for name, rows in groups.items()}


def _only_j_and_f(scores: Scores) -> Scores:
    return {name: scores[name] for name in ("J", "F", "J&F")}
