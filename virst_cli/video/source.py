"""What is accepted as a video: a regular file of a container that holds its own frames, of a sane size."""

import stat
from pathlib import Path

from virst_cli.errors import VideoError
from virst_cli.files.shown import shown

MAX_SIDE = 16384  # pixels; twice 8K, and what H.264 and HEVC decoders allow
MAX_PIXELS = 2**27  # 400 MB of RGB: more is a broken header or a bomb

# Containers that hold their own frames. All others are refused: lists that name other files (hls, dash, concat, image2
# patterns), single pictures, subtitles, and text, which ffmpeg would draw as a video of a terminal.
CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,ogg,gif,apng,mxf,dv,rm,wtv,nut,yuv4mpegpipe,mjpeg"
)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, and so a video as a folder of frames."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def require_regular(path: Path) -> None:
    """Raises VideoError unless `path` is a readable, non-empty, regular file. A FIFO is never opened: that would hang."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{shown(path)}: not a regular file; give a video file or a folder of frames")
        with path.open("rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        raise VideoError(f"{shown(path)}: no such file or folder") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise VideoError(f"{shown(path)}: can't be read: {reason}") from None
    if not first:
        raise VideoError(f"{shown(path)}: the file is empty")


def require_sane(path: Path, width: int, height: int) -> None:
    """Raises VideoError for a display size in pixels that no video has."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise VideoError(f"{shown(path)}: a size of {width}x{height} pixels is not plausible; the file looks damaged")
