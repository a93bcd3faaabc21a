"""Makes the files that these tests read, with ffmpeg and its own test pictures."""

import subprocess
from pathlib import Path

from virst_cli.video.ffmpeg import binary

SMALL = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24000/1001:duration=2")
SOUND = ("-f", "lavfi", "-i", "sine=duration=2")
FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


class Maker:
    """Makes files with ffmpeg in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, *arguments: str) -> Path:
        path = self.folder / name
        command = [binary(), "-nostdin", "-v", "error", "-y", *arguments, f"file:{path}"]
        subprocess.run(command, check=True, timeout=60)
        return path

    def cut(self, source: Path, part: float) -> Path:
        """The first part of a file's bytes."""
        data = source.read_bytes()
        path = self.folder / f"cut_{source.name}"
        path.write_bytes(data[: int(len(data) * part)])
        return path
