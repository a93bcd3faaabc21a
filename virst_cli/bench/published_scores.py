"""Published figures of other systems, to compare ours with: copied from the two tables of VIRST's project page (CVPR 2026).

They are copied, not measured; that page says by whom and how each was measured. J&F, J, F and R are x 100; None was not reported.
"""

from dataclasses import dataclass
from typing import Any

Figures = dict[str, float | None]  # J, F, J&F; for all of ReVOS also R

SHIFTED = "printed as J, F, J&F = {}, which can't be; shown here as J&F, J, F"
INCONSISTENT = "as printed, though F of all (27.1) is not the mean of its groups (39.1 and 24.8)"

ALL = "all"  # the only group of a data set that has none


@dataclass(frozen=True)
class PublishedSystem:
    """A row of a published table.

    figures: by group, which are referring, reasoning and overall for ReVOS, and only `ALL` for other data sets.
    note: what is wrong with the printed row; None for most.
    """

    model: str
    venue: str
    figures: dict[str, Figures]
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object that stands for it in `bench --json`."""
        figures = {"scores": self.figures[ALL]} if ALL in self.figures else {"groups": self.figures}
        return {"model": self.model, "venue": self.venue, "copied": True, **figures, "note": self.note}


def published_systems(dataset: str) -> list[PublishedSystem]:
    """The published rows for a data set, in the order of their table; empty for a data set that the tables do not have."""
    if dataset == "revos":
        return [_revos(row) for row in REVOS]
    if dataset not in COLUMNS:
        return []
    return [_row(row, COLUMNS[dataset]) for row in VALIDATION]


def _revos(row: tuple[Any, ...]) -> PublishedSystem:
    model, venue, *figures, robustness = row
    groups = {name: _figures(figures[3 * i : 3 * i + 3]) for i, name in enumerate(("referring", "reasoning", "overall"))}
    groups["overall"]["R"] = robustness
    return PublishedSystem(model, venue, groups, INCONSISTENT if model == "LMPM" else None)


def _row(row: tuple[Any, ...], column: int) -> PublishedSystem:
    model, venue, *figures = row
    three = figures[3 * column : 3 * column + 3]
    if model != "SAMWISE":
        return PublishedSystem(model, venue, {ALL: _figures(three)})
    joint, j, f = three
    return PublishedSystem(model, venue, {ALL: _figures([j, f, joint])}, SHIFTED.format(" / ".join(map(str, three))))


def _figures(three: list[float | None]) -> Figures:
    return dict(zip(("J", "F", "J&F"), three, strict=True))


# model, venue; J, F and J&F of the referring, the reasoning and all sentences; R
REVOS: tuple[tuple[Any, ...], ...] = (
    ("MTTR", "ECCV 2022", 29.8, 30.2, 30.0, 20.4, 21.5, 21.0, 25.1, 25.9, 25.5, 5.6),
    ("ReferFormer", "CVPR 2022", 31.2, 34.3, 32.7, 21.3, 25.6, 23.4, 26.2, 29.9, 28.1, 8.8),
    ("LMPM", "ICCV 2023", 29.0, 39.1, 34.1, 13.3, 24.8, 19.0, 21.2, 27.1, 26.8, 3.8),
    ("LISA-7B", "CVPR 2024", 44.3, 47.1, 45.7, 33.8, 38.4, 36.1, 39.1, 42.7, 40.9, 9.3),
    ("VISA-7B", "ECCV 2024", 49.2, 52.6, 50.9, 40.6, 45.4, 43.0, 44.9, 49.0, 46.9, 15.5),
    ("VISA-13B", "ECCV 2024", 55.6, 59.1, 57.4, 42.0, 46.7, 44.3, 48.8, 52.9, 50.9, 15.5),
    ("HyperSeg", "CVPR 2025", 56.0, 60.9, 58.5, 50.2, 55.8, 53.0, 53.1, 58.4, 55.7, None),
    ("VRS-HQ-7B", "CVPR 2025", 59.8, 64.5, 62.1, 53.5, 58.7, 56.1, 56.6, 61.6, 59.1, 19.7),
    ("VRS-HQ-13B", "CVPR 2025", 61.1, 65.5, 63.3, 54.1, 59.4, 56.8, 57.6, 62.5, 60.0, 18.9),
    ("InstructSeg", "ICCV 2025", 54.8, 59.2, 57.0, 49.2, 54.7, 51.9, 52.0, 56.9, 54.5, None),
    ("RGA3-7B", "ICCV 2025", 58.7, 62.3, 60.5, 53.1, 57.7, 55.4, 55.9, 60.0, 58.0, 28.6),
    ("ViLLa-6B", "ICCV 2025", None, None, None, None, None, None, 54.9, 59.1, 57.0, None),
    ("VIRST", "CVPR 2026", 68.8, 72.8, 70.8, 63.9, 68.3, 66.1, 66.3, 70.6, 68.4, 21.8),
)

# model, venue; J, F and J&F of MeViS, Ref-YouTube-VOS and Ref-DAVIS17, their validation splits
VALIDATION: tuple[tuple[Any, ...], ...] = (
    ("ReferFormer", "CVPR 2022", 29.8, 32.2, 31.0, 61.3, 64.6, 62.9, 58.1, 64.1, 61.1),
    ("OnlineRefer", "ICCV 2023", None, None, None, 61.6, 65.5, 63.5, 61.6, 67.7, 64.8),
    ("SAMWISE", "CVPR 2025", 49.5, 46.6, 52.4, 69.2, 67.8, 70.6, 70.6, 67.4, 74.5),
    ("MPG-SAM2", "ICCV 2025", 50.7, 56.7, 53.7, 71.7, 76.1, 73.9, 68.8, 76.0, 72.4),
    ("ReferDINO", "ICCV 2025", 44.7, 53.9, 49.3, 67.0, 71.5, 69.3, 65.1, 72.9, 68.9),
    ("LISA-7B", "CVPR 2024", 35.1, 39.4, 37.2, 53.4, 54.3, 53.9, 62.2, 67.3, 64.8),
    ("VISA-7B", "ECCV 2024", 40.7, 46.3, 43.5, 59.8, 63.2, 61.5, 66.3, 72.5, 69.4),
    ("VISA-13B", "ECCV 2024", 41.8, 47.1, 44.5, 61.4, 64.7, 63.0, 67.0, 73.8, 70.4),
    ("VideoLISA", "NeurIPS 2024", 41.3, 47.6, 44.4, 61.7, 65.7, 63.7, 64.9, 72.7, 68.8),
    ("VideoGLaMM", "CVPR 2025", 42.1, 48.2, 45.2, 65.4, 68.2, 66.8, 65.6, 73.3, 69.5),
    ("HyperSeg", "CVPR 2025", None, None, None, None, None, 68.5, None, None, 71.2),
    ("VRS-HQ-7B", "CVPR 2025", 47.6, 53.7, 50.6, 68.3, 72.5, 70.4, 72.6, 79.4, 76.0),
    ("VRS-HQ-13B", "CVPR 2025", 48.0, 53.7, 50.9, 69.0, 73.1, 71.0, 71.0, 77.9, 74.4),
    ("InstructSeg", "ICCV 2025", None, None, None, 65.4, 69.5, 67.5, 67.3, 74.9, 71.1),
    ("ViLLa-6B", "ICCV 2025", 46.5, 52.3, 49.4, 64.6, 70.4, 67.5, 70.6, 78.0, 74.3),
    ("VIRST", "CVPR 2026", 60.4, 65.4, 62.9, 72.2, 76.1, 74.2, 75.9, 83.1, 79.5),
)

COLUMNS = {"mevis": 0, "mevis-test": 0, "ref-youtube-vos": 1, "ref-davis17": 2}  # which three figures in a row of `VALIDATION`
