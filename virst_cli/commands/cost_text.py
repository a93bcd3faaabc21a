"""Prints the estimated cost of a run - memory and time by stage, and disk space - as text and as JSON.

Both functions take the same three values:
    memory: bytes at the peak of each stage
    disk: bytes of all files, or None if unknown
    time: seconds of each stage, or None if unknown
"""

from collections.abc import Mapping
from typing import Any

from virst_cli.stages import Stage


def cost_lines(memory: Mapping[Stage, int], disk: int | None, time: Mapping[Stage, float] | None) -> list[str]:
    """Lines of text: one for memory and disk, and one for time if it is known."""
    from virst_cli.machine.memory import readable

    stages = ", ".join(f"{stage} {readable(size)}" for stage, size in memory.items())
    on_disk = "unknown" if disk is None else f"about {readable(disk)}"
    lines = [f"memory: about {readable(max(memory.values()))} ({stages}); disk: {on_disk}"]
    if time is not None:
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in time.items())
        lines.append(f"time: about {sum(time.values()):.0f} s ({stages})")
    return lines


def cost_json(memory: Mapping[Stage, int], disk: int | None, time: Mapping[Stage, float] | None) -> dict[str, Any]:
    """Members of a JSON object; null where a value is unknown."""
    return {
        "memory_bytes": max(memory.values()),
        "memory_by_stage": dict(memory),
        "disk_bytes": disk,
        "seconds": None if time is None else round(sum(time.values()), 3),
        "seconds_by_stage": None if time is None else {stage: round(seconds, 3) for stage, seconds in time.items()},
    }
