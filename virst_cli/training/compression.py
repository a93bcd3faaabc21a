"""Frames as they come back from a badly compressed video: real H.264, at a quality that a video site would not dare."""

import subprocess

import numpy as np
import numpy.typing as npt

from virst_cli.video.ffmpeg import binary


def through_h264(clips: npt.NDArray[np.uint8], crf: int) -> npt.NDArray[np.uint8]:
    """Clips (N,T,H,W,3), sides even, encoded with x264's constant rate factor (0 best, 51 worst) and decoded again.

    They are one stream in which each clip is a group of pictures: starting ffmpeg takes longer than a clip does.
    """
    frames, height, width = clips.shape[1:4]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    groups = ["-g", str(frames), "-keyint_min", str(frames), "-sc_threshold", "0"]
    # one thread: the same frames give the same bytes on every machine
    squeeze = ["-c:v", "libx264", "-threads", "1", "-crf", str(crf), *groups, "-pix_fmt", "yuv420p", "-f", "matroska", "-"]
    small = _ffmpeg([*raw, "-i", "-", *squeeze], clips.tobytes())
    return np.frombuffer(bytearray(_ffmpeg(["-i", "-", *raw, "-"], small)), np.uint8).reshape(clips.shape)


def _ffmpeg(arguments: list[str], data: bytes) -> bytes:
    command = [binary(), "-v", "error", "-threads", "1", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout
