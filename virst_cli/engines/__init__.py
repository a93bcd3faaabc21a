"""Engines run a function on many items: in this process, one after another, or on a Ray cluster, with one worker per device.

Whatever is expensive to make, such as a model, is made once per worker, and results come in the order in which they finish.
An engine knows devices and processes, and nothing about videos or masks.
"""

from virst_cli.engines.cluster import RayEngine
from virst_cli.engines.engine import Engine
from virst_cli.engines.local import LocalEngine
from virst_cli.errors import UsageError

__all__ = ["Engine", "open_engine"]

LOCAL, RAY = "local", "ray"


def open_engine(name: str, *, device: str, ray_address: str | None = None, workers: int | None = None) -> Engine:
    """The engine of that name. It starts nothing before its `map` is iterated.

    name: `local` or `ray`.
    device: as `--device` takes it.
    ray_address: address of a running cluster; by default a cluster is started on this machine.
    workers: maximum number of workers.

    Raises UsageError if the engine does not exist, does not take an option, or can't be used here.
    """
    if name == LOCAL:
        for option, value in (("--ray-address", ray_address), ("--workers", workers)):
            if value is not None:
                raise UsageError(f"{option} {value} is for a cluster; add --engine ray, or leave {option} out")
        return LocalEngine(device)
    if name == RAY:
        return RayEngine(device, ray_address, workers)
    raise UsageError(f"--engine {name} does not exist; choose {LOCAL} or {RAY}")
