"""Out of memory under a real limit: exit code 5, one line with stage, peak, free memory and a remedy, and no unfinished files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.running import ROOT, environment
from tests.small_model import wide

STAGES = {  # and where each begins
    "look": "segmenter.Segmenter._visual_tokens",
    "reason": "segmenter.Segmenter._reason",
    "fuse": "feature_cache.FeatureCache.encode",
    "anchor": "tracking_pass.TrackingPass.anchor",
    "propagate": "tracking_pass.TrackingPass.propagate",
}
# Imports once, then forks for each stage a process that gets no more address space than it has by then.
PROGRAM = """
import json, os, resource, sys
import torch
import virst_cli.runs.run; from virst_cli.segmenter import feature_cache, segmenter, tracking_pass
from virst_cli.app import run

torch.set_num_threads(1)
arguments, stages = json.loads(sys.argv[1]), json.loads(sys.argv[2])

def squeezed(real):
    def step(*given, **named):
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), resource.RLIM_INFINITY))
        return real(*given, **named)
    return step

codes = {}
for stage, name in stages.items():
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(f"{stage}.err", os.O_WRONLY | os.O_CREAT), 2)
        module, owner, method = name.split(".")
        owner = getattr(globals()[module], owner)
        setattr(owner, method, squeezed(getattr(owner, method)))
        os._exit(run([*arguments, "-o", stage]))
    codes[stage] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(codes))
"""


@pytest.fixture(scope="module")
def squeezed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A folder with the files and the stderr of one run per stage, and the exit codes."""
    folder = tmp_path_factory.mktemp("squeezed")
    model = wide(folder / "model")
    arguments = ["segment", str(clip), "the dog", "the cat", "--model", str(model), "--device", "cpu", "-q", "-f", "overlay,png"]
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(arguments), json.dumps(STAGES)]
    env = environment({"OMP_NUM_THREADS": "1", "VIRST_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)})
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("stage", STAGES)
def test_one_line_names_the_stage_and_what_helps(stage: str, squeezed: tuple[Path, dict[str, int]]):
    folder, codes = squeezed
    printed = (folder / f"{stage}.err").read_text()
    assert codes[stage] == 5, printed
    (line,) = printed.splitlines()
    places = {f"'{stage}'", "'write'"} if stage == "propagate" else {f"'{stage}'"}  # frames are tracked and written in turn
    assert any(line.startswith(f"virst: error: out of memory at {place} (peak ") for place in places), line
    assert " free); try " in line
    assert "--dtype bfloat16" in line
    assert "fewer sentences at once" in line


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_lies_under_a_final_name(stage: str, squeezed: tuple[Path, dict[str, int]]):
    left = sorted(path.name for path in (squeezed[0] / stage).rglob("*") if path.is_file() and path.suffix != ".partial")
    assert not [name for name in left if name == "run.json" or name.endswith((".mp4", ".png"))], left
