"""The published sizes in the memory people have: `python -m tests.benchmarks.full_size FOLDER [--frames N] [--dtype bfloat16]`.

Writes once, below FOLDER, a model of the full published sizes with random weights (15 GB), then runs a real `virst segment` of a
short 720p clip on the CPU, and prints for each stage its seconds and the most memory that the process had in it. What counts is
anonymous memory: pages of mapped files are the system's to take back. Exit code 1 if that was more than 3 GB.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

from tests.model.qwen2_vocabulary import build as qwen2_tokenizer
from tests.random_weights import write_model
from virst_cli.model.config import VIRST_7B
from virst_cli.video.write import VideoWriter
from virst_cli.world import make_clip

MOST = 3_000_000_000  # bytes
EVERY = 0.02  # seconds between two looks at a process
CONFIG = dataclasses.replace(  # with the first fusion, which needs more
    VIRST_7B, segmentation=dataclasses.replace(VIRST_7B.segmentation, initial_fusion=True)
)


class Watch:
    """What a process takes, by stage: seconds, seconds of processor time, and peaks of memory in bytes (Linux)."""

    def __init__(self, pid: int) -> None:
        self.stage = "open"
        self.seconds: dict[str, float] = defaultdict(float)
        self.processor: dict[str, float] = defaultdict(float)
        self.anonymous: dict[str, int] = defaultdict(int)
        self.resident: dict[str, int] = defaultdict(int)
        self.high_water = 0  # VmHWM, with mapped files
        self._process = Path(f"/proc/{pid}")
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        then, spent = time.monotonic(), 0.0
        while True:
            stage = self.stage
            try:
                facts = dict(line.split(":", 1) for line in (self._process / "status").read_text().splitlines())
                ticks = sum(map(int, (self._process / "stat").read_text().rpartition(")")[2].split()[11:13]))
                anonymous, shared, resident, high = (_bytes(facts[name]) for name in ("RssAnon", "RssShmem", "VmRSS", "VmHWM"))
            except (OSError, KeyError):
                return  # it has ended
            now, used = time.monotonic(), ticks / os.sysconf("SC_CLK_TCK")
            self.seconds[stage] += now - then
            self.processor[stage] += used - spent
            self.anonymous[stage] = max(self.anonymous[stage], anonymous + shared)
            self.resident[stage] = max(self.resident[stage], resident)
            self.high_water = max(self.high_water, high)
            then, spent = now, used
            time.sleep(EVERY)


def _bytes(kilobytes: str) -> int:
    return int(kilobytes.split()[0]) * 1024


def watched(command: list[str], home: Path) -> tuple[Watch, str]:
    """Runs a command that reports its stages on stderr; what it took, and what it printed."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "VIRST_HOME": str(home)}
    ) as process:
        watch = Watch(process.pid)
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            sys.stderr.write(line)
            if (told := re.match(r"(\w+) \d+/\d+", line)) is not None:
                watch.stage = told[1]
        said = process.stdout.read()
    if process.returncode not in (0, 3):  # 3: nothing was found, which random weights may well do
        raise SystemExit(f"virst segment ended with {process.returncode}; peak {max(watch.anonymous.values())}")
    return watch, said


def write_clip(path: Path, frames: int) -> None:
    with VideoWriter(path, size=(1280, 720), rate=Fraction(25)) as writer:
        for index, image in enumerate(make_clip(7, frames=frames, size=(1280, 720)).frames):
            writer.write(image, index / 25)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--dtype", default="bfloat16")
    asked = parser.parse_args()
    model, clip, out = asked.folder / "model", asked.folder / f"{asked.frames}.mp4", asked.folder / "out"
    if not (model / "manifest.json").is_file():
        write_model(model, CONFIG, qwen2_tokenizer())
    write_clip(clip, asked.frames)
    shutil.rmtree(out, ignore_errors=True)
    virst = [sys.executable, "-m", "virst_cli", "segment", str(clip), "the red dog", "--model", str(model), "--device", "cpu"]
    virst += ["--dtype", asked.dtype, "-o", str(out), "--json"]
    plan = json.loads(subprocess.run([*virst, "--dry-run"], stdout=subprocess.PIPE, text=True, check=True).stdout)
    watch, said = watched(virst, asked.folder / "home")
    print(f"{'stage':8} {'seconds':>8} {'processor':>10} {'anonymous':>10} {'resident':>10} {'predicted':>10}")
    for stage in watch.seconds:
        foreseen = plan.get("memory_by_stage", {}).get(stage)
        print(
            f"{stage:8} {watch.seconds[stage]:8.1f} {watch.processor[stage]:10.1f} {watch.anonymous[stage] / 1e9:7.2f} GB "
            f"{watch.resident[stage] / 1e9:7.2f} GB " + (f"{foreseen / 1e9:7.2f} GB" if foreseen else "")
        )
    peak = max(watch.anonymous.values())
    print(f"peak: {peak / 1e9:.2f} GB anonymous, {watch.high_water / 1e9:.2f} GB with mapped files (VmHWM)")
    print(f"predicted: {plan['memory_bytes'] / 1e9:.2f} GB; timings in run.json: {json.loads(said)['timings']}")
    return 0 if peak <= MOST else 1


if __name__ == "__main__":
    raise SystemExit(main())
