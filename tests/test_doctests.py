"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import virst_cli

MODULES = sorted(
    found.name for found in pkgutil.walk_packages(virst_cli.__path__, "virst_cli.") if not found.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_true(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
