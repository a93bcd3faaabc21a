"""Shows the parameters in docstrings as lists, one `name: meaning` per line; an extension of griffe that mkdocs.yml names."""

import re
from typing import Any

import griffe

PARAMETER = re.compile(r"^([a-z_0-9]+(?:, [a-z_0-9]+)*): ", re.MULTILINE)


class DocstringParameters(griffe.Extension):
    """Rewrites docstrings when they are read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Make a Markdown list of the lines that begin with the names of parameters."""
        if obj.docstring is not None:
            text = PARAMETER.sub(r"- `\1`: ", obj.docstring.value)
            obj.docstring.value = re.sub(r"(?<=\S)\n(?=- `)", "\n\n", text, count=1)
