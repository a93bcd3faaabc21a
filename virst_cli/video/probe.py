"""What a video is, before it is decoded: its size as shown, its frame rate, how long it claims to be."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from virst_cli.video import frame_folder
from virst_cli.video.header import read_header
from virst_cli.video.source import is_folder


@dataclass(frozen=True)
class VideoInfo:
    """A video, as its container describes it."""

    path: Path
    width: int  # display size in pixels: rotation and pixel aspect applied
    height: int
    rate: Fraction  # frames a second, such as 24000/1001; the average where it varies
    frames: int | None  # as the container claims, which may be wrong; None where it claims nothing
    duration: float | None  # seconds, of the longest stream
    has_audio: bool


def probe(path: Path) -> VideoInfo:
    """Describes a video file or a folder of frames. Raises `VideoError`, within 5 seconds, if it is neither."""
    if is_folder(path):
        files = frame_folder.frame_files(path)
        width, height = frame_folder.common_size(files)
        return VideoInfo(
            path, width, height, frame_folder.RATE, len(files), float(len(files) / frame_folder.RATE), has_audio=False
        )
    header = read_header(path)
    return VideoInfo(
        path,
        header.width,
        header.height,
        header.rate,
        header.claimed_frames,
        header.duration,
        has_audio=header.audio is not None,
    )
