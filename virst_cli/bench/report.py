"""The result of a benchmark run, and the object that `virst bench --json` prints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from virst_cli.bench.published_scores import published_systems
from virst_cli.bench.samples import NOTHING
from virst_cli.bench.scores import ExpressionScore, Scores, by_type, by_video, means, revos_groups

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """The result of one run.

    dataset: its name, as in `virst bench --dataset`.
    model: its name; None for a folder of predictions.
    expression_scores: a score for every expression whose truth is known.
    missing: names of what was absent and counted as 0; a run with any of these has failed (exit code 1).
    videos: how many were scored.
    fps: frames a second while the model was at work, all sentences of a video together; None without a model.
    peak_memory: bytes of RAM; None where the system does not report it.
    baselines: the scores of each baseline, by its name.
    hidden: number of expressions without a score, because only a server can score them.
    extra: files among the masks that belong to no frame; they change nothing.
    standard: scores of the objects of Ref-DAVIS17 by its standard protocol.
    """

    dataset: str
    model: str | None
    expression_scores: Sequence[ExpressionScore]
    missing: Sequence[str]
    videos: int
    fps: float | None
    peak_memory: int | None
    baselines: dict[str, Sequence[ExpressionScore]] = field(default_factory=dict)
    hidden: int = 0
    extra: Sequence[str] = ()
    standard: Sequence[ExpressionScore] = ()

    @property
    def scores(self) -> Scores | None:
        """J, F and J&F x 100 of the whole data set, for ReVOS the published average; None where only a server can score."""
        if self.dataset == "revos":
            scores = self.groups["overall"]
        else:
            scores = means(self.expression_scores) if self.expression_scores else None
        return None if scores is None else {name: scores[name] for name in ("J", "F", "J&F")}

    @property
    def groups(self) -> dict[str, Scores | None]:
        """The published averages of ReVOS; empty for other data sets."""
        return revos_groups(self.expression_scores) if self.dataset == "revos" else {}

    @property
    def protocols(self) -> dict[str, Scores | None]:
        """The scores of Ref-DAVIS17 by both of its protocols; empty for other data sets.

        None for the standard protocol where objects have not been described by four annotators.
        """
        if self.dataset != "ref-davis17":
            return {}
        return {"per_expression": self.scores, "standard": means(self.standard) if self.standard else None}

    def as_dict(self) -> dict[str, Any]:
        """The object of `bench --json`. Scores and shares are x 100, unrounded."""
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "dataset": self.dataset,
            "model": self.model,
            "scores": self.scores,
            "by_type": _counted(by_type(self.expression_scores)),
        }
        for name in ("groups", "protocols"):
            if getattr(self, name):
                content[name] = getattr(self, name)
        content |= {
            "by_video": _counted(by_video(self.expression_scores)),
            "videos": self.videos,
            "expressions": len(self.expression_scores) + self.hidden,
            "missing": list(self.missing),
            "extra": list(self.extra),
            "fps": self.fps,
            "peak_memory_bytes": self.peak_memory,
        }
        if any(score.type == NOTHING for score in self.expression_scores):
            content["answered_empty"] = answered_empty(self.expression_scores)
        if self.baselines:
            content["baselines"] = {
                name: {"scores": means(scores), "by_type": _counted(by_type(scores))} for name, scores in self.baselines.items()
            }
        if systems := published_systems(self.dataset):
            content["published"] = [system.as_dict() for system in systems]
        return content


def answered_empty(scores: Sequence[ExpressionScore]) -> dict[str, float | None]:
    """Percent of sentences answered without a pixel: of those that fit nothing (100 is best) and of the others (0 is best).

    None for a group without sentences.
    """
    groups = {
        NOTHING: [score.empty for score in scores if score.type == NOTHING],
        "others": [score.empty for score in scores if score.type != NOTHING],
    }
    return {name: 100 * fmean(empty) if empty else None for name, empty in groups.items()}


def _counted(groups: dict[str, list[ExpressionScore]]) -> dict[str, Any]:
    return {name: {**means(scores), "n": len(scores)} for name, scores in groups.items()}
