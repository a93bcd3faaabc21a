"""What is let in as a video: a regular file, named so that ffmpeg can't take it for an address or an option."""

import stat
from pathlib import Path

from virst_cli.errors import VideoError

MAX_SIDE = 16384  # pixels; twice 8K, and what H.264 and HEVC decoders allow
MAX_PIXELS = 2**27  # 400 MB of RGB: more is a broken header or a bomb

# Containers that hold their own frames. Left out, and so refused: lists that name other files (hls, dash, concat,
# image2 patterns), single pictures, subtitles, and text, which ffmpeg would happily draw as a video of a terminal.
CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,ogg,gif,apng,mxf,dv,rm,wtv,nut,yuv4mpegpipe,mjpeg"
)


def shown(path: Path) -> str:
    """The name of a file as it may stand in a message of one line."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def is_folder(path: Path) -> bool:
    """Whether a folder of frames is meant."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def require_regular(path: Path) -> None:
    """Raises `VideoError` unless `path` is a readable, non-empty, regular file. Never opens a FIFO: it hangs."""
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
    """Raises `VideoError` for a display size that no video has."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise VideoError(f"{shown(path)}: {width}x{height} pixels is no size for a video; the file looks damaged")


def url(path: Path) -> str:
    """The name for ffmpeg: `file:` and an absolute path, so that `-x`, `http:y` and `concat:z` are plain names."""
    return f"file:{path.absolute()}"


def arguments(path: Path) -> list[str]:
    """ffmpeg's input arguments for a file from outside."""
    return [
        *("-protocol_whitelist", "file,pipe"),
        *("-format_whitelist", CONTAINERS),
        *("-max_pixels", str(MAX_PIXELS)),
        *("-i", url(path)),
    ]
