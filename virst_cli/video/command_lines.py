"""Every command line of ffmpeg, as lists of arguments; nothing goes through a shell.

A file from outside is named by `file:` and its absolute path, so that `-x`, `http:y` and `concat:z` are plain names. ffmpeg may
open nothing else: protocols and containers are limited to what a video file needs.
"""

from fractions import Fraction
from pathlib import Path

from virst_cli.video.audio import AudioTrack
from virst_cli.video.matroska import Pixels
from virst_cli.video.source import CONTAINERS, MAX_PIXELS

# ffmpeg's short cuts move colours by 1.3 levels on average, at edges by up to 28. The exact way converts about 70 frames of 1080p
# a second on two cores, the short cuts 300.
_EXACT = "flags=bicubic+accurate_rnd+full_chroma_int"


def probe_first_frame(path: Path) -> list[str]:
    """Decodes the first frame of a file to nothing, so that the log describes file and frame."""
    return [*_input(path), *("-an", "-sn", "-dn", "-vf", "showinfo@first=checksum=0", "-frames:v", "1", "-f", "null", "-")]


def decode_frames(path: Path, *, stream: int, size: tuple[int, int], seek: float | None, label: str) -> list[str]:
    """Decodes a file to raw rgb24 frames on standard output, with their times in the log.

    stream: number of the video stream.
    size: (width, height) of the frames, in pixels.
    seek: seconds from which to decode; None for the start of the file.
    label: names the filter that prints the times, so that no other line of the log can be taken for one.
    """
    jump = [] if seek is None else ["-ss", str(seek)]
    scale = f"scale={size[0]}:{size[1]}:{_EXACT}"
    return [
        *("-copyts", *jump, *_input(path), "-map", f"0:{stream}"),
        *("-vf", f"{scale},setsar=1,format=rgb24,showinfo@{label}=checksum=0"),
        *("-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"),
    ]


def encode_video(
    path: Path, *, size: tuple[int, int], pixels: Pixels, container: str, delay: Fraction, clock: int, audio: AudioTrack | None
) -> list[str]:
    """Encodes a Matroska stream of raw frames from standard input.

    path: of the video; an existing file is overwritten.
    size: (width, height) in pixels.
    pixels: of the frames, see `VideoWriter`.
    container: "mp4" or "mov".
    delay: seconds from the start of the sound to the first frame.
    clock: ticks of the file's clock in a second.
    audio: sound to carry over; None for none.
    """
    return [
        # ffmpeg has every input begin at 0: without an offset the delay would be lost
        *("-itsoffset", f"{float(delay):.6f}", "-f", "matroska", "-i", "pipe:0"),
        *([] if audio is None else [*_range(audio), *_input(audio.path)]),
        *("-map", "0:v:0"),
        *([] if audio is None else ["-map", f"1:{audio.stream}", "-c:a", audio.codec_in(container)]),
        *_codec(pixels, size),
        *("-fps_mode", "passthrough", "-enc_time_base", f"1:{clock}", "-video_track_timescale", str(clock)),
        *("-movflags", "+faststart", "-f", container, "-y", _url(path)),
    ]


def compress_h264(size: tuple[int, int], *, crf: int, group: int) -> list[str]:
    """Encodes raw rgb24 frames from standard input to H.264 in Matroska on standard output.

    size: (width, height) in pixels, both even.
    crf: x264's constant rate factor, 0 (best) to 51 (worst).
    group: frames from one key frame to the next.
    """
    groups = ["-g", str(group), "-keyint_min", str(group), "-sc_threshold", "0"]
    # one thread: the same frames give the same bytes on every machine
    codec = ["-c:v", "libx264", "-threads", "1", "-crf", str(crf), *groups, "-pix_fmt", "yuv420p"]
    return ["-threads", "1", *_raw(size), "-i", "-", *codec, "-f", "matroska", "-"]


def decompress_h264(size: tuple[int, int]) -> list[str]:
    """Decodes what `compress_h264` wrote back to raw rgb24 frames. size: as given there."""
    return ["-threads", "1", "-i", "-", *_raw(size), "-"]


def _url(path: Path) -> str:
    return f"file:{path.absolute()}"


def _input(path: Path) -> list[str]:
    """A file from outside."""
    return [
        *("-protocol_whitelist", "file,pipe"),
        *("-format_whitelist", CONTAINERS),
        *("-max_pixels", str(MAX_PIXELS)),
        *("-i", _url(path)),
    ]


def _range(audio: AudioTrack) -> list[str]:
    """Where the sound starts and how long it lasts, for the input that follows."""
    skip = Fraction(audio.start) - audio.delay
    shift = ["-ss", f"{float(skip):.6f}"] if skip > 0 else ["-itsoffset", f"{float(-skip):.6f}"]
    return shift if audio.end is None else [*shift, "-t", f"{audio.end - max(audio.start, float(audio.delay)):.6f}"]


def _codec(pixels: Pixels, size: tuple[int, int]) -> list[str]:
    if pixels == "rgba":
        return ["-vf", f"scale={_EXACT},format=yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"]
    # 4:2:0 halves the colour planes and can't hold an odd side; 4:4:4 can, though fewer players show it
    layout = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
    # 4: even a mask of pure noise is off by 66 at most; 0 would be lossless, in a profile that browsers don't play
    quality = "4" if pixels == "gray" else "18"
    return [
        *("-vf", f"scale=out_color_matrix=bt709:out_range=tv:{_EXACT},format={layout}"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", quality),  # half the time of "medium"
        *("-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    ]


def _raw(size: tuple[int, int]) -> list[str]:
    return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}"]
