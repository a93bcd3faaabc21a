"""Frames as they come back from a badly compressed video: real H.264, at a quality that no video site would offer."""

import subprocess

import numpy as np
import numpy.typing as npt

from virst_cli.video import command_lines
from virst_cli.video.ffmpeg import binary


def through_h264(clips: npt.NDArray[np.uint8], crf: int) -> npt.NDArray[np.uint8]:
    """Clips (N, T, H, W, 3) with even sides, encoded as H.264 and decoded again.

    crf: x264's constant rate factor, 0 (best) to 51 (worst).
    All clips are one stream, in which each is a group of pictures: starting ffmpeg takes longer than a clip does.
    """
    frames, height, width = clips.shape[1:4]
    compressed = _ffmpeg(command_lines.compress_h264((width, height), crf=crf, group=frames), clips.tobytes())
    raw = _ffmpeg(command_lines.decompress_h264((width, height)), compressed)
    return np.frombuffer(bytearray(raw), np.uint8).reshape(clips.shape)


def _ffmpeg(arguments: list[str], data: bytes) -> bytes:
    return subprocess.run([binary(), "-v", "error", *arguments], input=data, capture_output=True, check=True).stdout
