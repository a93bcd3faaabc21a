"""Which numbers `--dtype auto` calculates in: half the bits only where something multiplies them by itself."""

import pytest

from virst_cli.errors import UsageError
from virst_cli.machine.dtypes import resolve_dtype
from virst_cli.model.config import VIRST_7B, VIRST_NANO


@pytest.mark.parametrize(
    ("config", "on_device", "halves", "dtype"),
    [
        (VIRST_7B, True, False, "bfloat16"),
        (VIRST_7B, False, True, "bfloat16"),
        (VIRST_7B, False, False, "float32"),  # emulated, a product takes thirty times as long
        (VIRST_NANO, True, False, "bfloat16"),
        (VIRST_NANO, False, True, "float32"),
    ],
)
def test_auto_takes_halves_where_they_are_fast(config, on_device, halves, dtype, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("virst_cli.machine.dtypes.cpu_has_bfloat16", lambda: halves)
    assert resolve_dtype("auto", language_width=config.language.width, on_device=on_device) == dtype


def test_what_is_asked_for_is_taken_and_what_is_unknown_refused():
    assert resolve_dtype("bfloat16", language_width=3584, on_device=False) == "bfloat16"
    with pytest.raises(UsageError, match="int8"):
        resolve_dtype("int8", language_width=3584, on_device=False)
