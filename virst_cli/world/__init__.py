"""A synthetic world of moving sprites: videos with exact masks and sentences.

virst-nano is trained on it, `virst world` writes it to disk, and tests use it in place of real videos.
"""

from virst_cli.world.clip import make_clip
from virst_cli.world.grammar import vocabulary
from virst_cli.world.things import COLOURS, EVENTS, KINDS, SIZES, STATES, TYPES, Clip, Event, Sentence, Thing
from virst_cli.world.write_mevis import write_mevis

__all__ = [
    "COLOURS",
    "EVENTS",
    "KINDS",
    "SIZES",
    "STATES",
    "TYPES",
    "Clip",
    "Event",
    "Sentence",
    "Thing",
    "make_clip",
    "vocabulary",
    "write_mevis",
]
