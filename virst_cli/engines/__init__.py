"""Where videos are worked on: here, one after the other, or on a Ray cluster, one a device at a time.

An engine maps a function over items. What is dear to make - a model - is made once a worker, and results come as they are
done. It knows devices and processes, and nothing of videos or masks.
"""

from virst_cli.engines.cluster import RayEngine
from virst_cli.engines.engine import Engine
from virst_cli.engines.local import LocalEngine
from virst_cli.errors import UsageError

__all__ = ["Engine", "open_engine"]

LOCAL, RAY = "local", "ray"


def open_engine(name: str, *, device: str, ray_address: str | None = None, workers: int | None = None) -> Engine:
    """The engine of that name. Nothing is started before its `map` is iterated. Raises UsageError.

    device: as `--device` takes it. ray_address: of a cluster that runs, else one is started here; workers: at most.
    """
    if name == LOCAL:
        for option, value in (("--ray-address", ray_address), ("--workers", workers)):
            if value is not None:
                raise UsageError(f"{option} {value} is for a cluster; add --engine ray, or leave it out")
        return LocalEngine(device)
    if name == RAY:
        return RayEngine(device, ray_address, workers)
    raise UsageError(f"--engine {name}: there is no such engine; choose {LOCAL} or {RAY}")
