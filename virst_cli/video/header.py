"""The header of a video file, as ffmpeg describes it: streams, display size, frame rate, start of the clock.

imageio-ffmpeg brings no ffprobe, so this reads ffmpeg's log. Decoding one frame shows three things that the header does not:
that the video can be decoded, its size after rotation, and its exact frame rate.
"""

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from virst_cli.errors import VideoError
from virst_cli.files.shown import shown
from virst_cli.video import command_lines, mp4, source
from virst_cli.video.ffmpeg import Ffmpeg

PROBE_TIMEOUT = 4.5  # seconds; bad input must be refused within 5
FALLBACK_RATE = Fraction(25)  # for files that state none, such as a raw stream; ffmpeg's own choice

_STREAM = re.compile(r"^\[info\]   Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\([^)]*\))?: (Video|Audio): (\w+)(.*)")
_MAPPING = re.compile(r"^\[info\]   Stream #0:(\d+) -> #0:0 ")
_RATE = re.compile(r" ([\d.]+)(k?) fps")
_CONFIG = re.compile(r"^\[showinfo@\w+ @ \w+\] \[info\] config in time_base: \d+/\d+, frame_rate: (\d+)/(\d+)")
_FIRST = re.compile(r"^\[showinfo@\w+ @ \w+\] \[info\] n: .* sar:(\d+)/(\d+) s:(\d+)x(\d+) ")


@dataclass(frozen=True)
class VideoHeader:
    """A video file, as far as its header and first frame tell."""

    video: int  # number of the stream to decode
    audio: int | None  # number of the first audio stream
    audio_codec: str
    audio_delay: Fraction  # seconds by which ffmpeg starts sound too early when it reads nothing but sound
    container: str  # ffmpeg's names for it, such as "mov,mp4,m4a,3gp,3g2,mj2"
    width: int  # display size: rotation and pixel aspect applied
    height: int
    rate: Fraction  # frames a second
    start: Fraction  # seconds; the time stamp at which the container's clock starts
    duration: float | None  # seconds, of the longest stream
    claimed_frames: int | None  # what the container says; None where it says nothing


def read_header(path: Path) -> VideoHeader:
    """Reads the header of a video file. Raises VideoError, within 5 seconds, for anything that is not one."""
    source.require_regular(path)
    log: list[str] = []
    child = Ffmpeg(command_lines.probe_first_frame(path), each_line=log.append)
    try:
        child.wait(PROBE_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise VideoError(f"{shown(path)}: no frame could be decoded within {PROBE_TIMEOUT} seconds; is it a video?") from None
    finally:
        child.kill()
    return _parse(path, log, child.errors)


def _parse(path: Path, log: list[str], errors: list[str]) -> VideoHeader:
    # A file's name may hold line breaks, and so imitate any line before this one, the last of its kind; the lines after it are
    # all ffmpeg's own.
    begin = max((i for i, line in enumerate(log) if line.startswith("[info]   Duration: ")), default=len(log))
    streams = [match for match in map(_STREAM.match, log[begin:]) if match]
    mapped = next((int(match[1]) for match in map(_MAPPING.match, log[begin:]) if match), None)
    chosen = next((s for s in streams if s[2] == "Video" and int(s[1]) == mapped and "attached pic" not in s[4]), None)
    first = next((match for match in map(_FIRST.match, log[begin:]) if match), None)
    if chosen is None or first is None:
        raise VideoError(f"{shown(path)}: {_reason(streams, errors)}")

    sound = next((s for s in streams if s[2] == "Audio"), None)
    clock = re.search(r"Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N/A)(?:, start: (-?[\d.]+))?", log[begin])
    assert clock is not None
    width, height = _display_size(first)
    start = Fraction(clock[4] or 0)
    container = next((m[1] for m in (re.match(r"\[info\] Input #0, (\S+), from ", line) for line in log) if m), "")
    source.require_sane(path, width, height)
    return VideoHeader(
        video=int(chosen[1]),
        audio=int(sound[1]) if sound else None,
        audio_codec=sound[3] if sound else "",
        audio_delay=_delay(sound[4], start) if sound and container.startswith("mpeg") else Fraction(0),
        container=container,
        width=width,
        height=height,
        rate=_rate(chosen[4], log[begin:]),
        start=start,
        duration=int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock[1] else None,
        claimed_frames=mp4.frame_count(path, int(chosen[1])),
    )


def _reason(streams: "list[re.Match[str]]", errors: list[str]) -> str:
    kinds = {s[2] for s in streams if "attached pic" not in s[4]}
    if streams and "Video" not in kinds:
        return "the file has sound but no video" if "Audio" in kinds else "the file has no video"
    said = errors[0] if errors else ""
    if "not on whitelist" in said or "m3u8" in said:
        said = "it is text, sound, a picture, or a list of other files"
    return "not a video that ffmpeg can read" + (f" ({said})" if said else "")


def _delay(stream: str, start: Fraction) -> Fraction:
    """Seconds from the container's start to that of a stream, which ffmpeg takes for 0 when it reads nothing else (MPEG)."""
    own = re.search(r", start (-?[\d.]+)", stream)
    return Fraction(own[1]) - start if own else Fraction(0)


def _display_size(first: "re.Match[str]") -> tuple[int, int]:
    across, down, width, height = (int(group) for group in first.groups())
    if across == 0 or down == 0:  # pixel aspect unknown
        return width, height
    return max(1, round(Fraction(width * across, down))), height


def _rate(stream: str, log: list[str]) -> Fraction:
    """Exact frames a second.

    ffmpeg prints the true average, but rounded ("23.98 fps"), and the filter's input states the nominal rate exactly
    (24000/1001). Within one per cent they mean the same: a last frame that is shown longer, or a few dropped ones.
    Beyond, the rate varies.
    """
    config = next((match for match in map(_CONFIG.match, log) if match), None)
    nominal = Fraction(int(config[1]), int(config[2])) if config and int(config[2]) else Fraction(0)
    printed = _RATE.search(stream)
    average = Fraction(printed[1]) * (1000 if printed[2] else 1) if printed else Fraction(0)
    if nominal and (not average or abs(nominal / average - 1) < Fraction(1, 100)):
        return _standard(nominal)
    return average or FALLBACK_RATE


def _standard(rate: Fraction) -> Fraction:
    """24, 60000/1001 and their like, in place of what Matroska makes of them: it rounds a frame's length to 1 ns."""
    likely = (Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001))
    return next((exact for exact in likely if abs(exact / rate - 1) < Fraction(3, 10_000_000)), rate)
