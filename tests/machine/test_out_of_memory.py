"""Which exceptions mean that memory ran out, and what is then said."""

import subprocess
import sys

import numpy as np
import pytest

from virst_cli.errors import OutOfMemory
from virst_cli.machine import out_of_memory


@pytest.mark.parametrize(("free", "is_it"), [(5_000_000, True), (10**10, False), (None, False)])
def test_what_onednn_does_not_explain_is_a_shortage_only_if_hardly_anything_is_free(
    free: int | None, is_it: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(out_of_memory, "free_bytes", lambda: free)
    assert out_of_memory.is_out_of_memory(RuntimeError("could not create a primitive")) is is_it


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")])
def test_a_stage_in_which_memory_runs_out_is_named(error: Exception):
    said = r"^out of memory at 'reason' \(peak .*; try --dtype bfloat16 or a smaller --model$"
    with pytest.raises(OutOfMemory, match=said), out_of_memory.naming_stage("reason", ["--dtype bfloat16", "a smaller --model"]):
        raise error


def test_any_other_error_of_a_stage_stays_what_it_is():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), out_of_memory.naming_stage("reason"):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def test_the_peak_is_that_of_this_process_alone():
    held = np.ones(60_000_000)  # whoever starts a process may be large
    peak = [sys.executable, "-c", "from virst_cli.machine.memory import peak_bytes; print(peak_bytes())"]
    assert 0 < int(subprocess.run(peak, capture_output=True, check=True).stdout) < held.nbytes
