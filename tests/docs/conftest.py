"""Fixtures: `virst` as a process, as the tests of the commands run it."""

from tests.commands.conftest import virst, zygote

__all__ = ["virst", "zygote"]
