"""What something will take: memory and time by stage, and disk; in words and for JSON.

memory, disk: bytes; time: seconds; disk and time are None where they are not known.
"""

from collections.abc import Mapping
from typing import Any

from virst_cli.stages import Stage


def in_words(memory: Mapping[Stage, int], disk: int | None, time: Mapping[Stage, float] | None) -> list[str]:
    """Lines."""
    from virst_cli.machine.memory import readable

    stages = ", ".join(f"{stage} {readable(size)}" for stage, size in memory.items())
    on_disk = "?" if disk is None else readable(disk)
    lines = [f"memory: about {readable(max(memory.values()))} ({stages}); disk: about {on_disk}"]
    if time is not None:
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in time.items())
        lines.append(f"time: about {sum(time.values()):.0f} s ({stages})")
    return lines


def for_json(memory: Mapping[Stage, int], disk: int | None, time: Mapping[Stage, float] | None) -> dict[str, Any]:
    """An object's members."""
    return {
        "memory_bytes": max(memory.values()),
        "memory_by_stage": dict(memory),
        "disk_bytes": disk,
        "seconds": None if time is None else round(sum(time.values()), 3),
        "seconds_by_stage": None if time is None else {stage: round(seconds, 3) for stage, seconds in time.items()},
    }
