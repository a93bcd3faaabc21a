"""Where videos are worked on: here, one after the other, or on a Ray cluster, one a device at a time.

An engine maps a function over items. What is dear to make - a model - is made once a worker, and results come as they are
done. It knows devices and processes, and nothing of videos or masks.
"""

from virst_cli.engines.choice import open_engine
from virst_cli.engines.engine import Engine

__all__ = ["Engine", "open_engine"]
