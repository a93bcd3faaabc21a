"""The sound of a video, for carrying it over to a new one."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

# Codecs that players expect in these containers are copied; any other is encoded as AAC.
_COPIED = {
    "mp4": ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"),
    "mov": ("aac", "mp3", "ac3", "eac3", "alac"),
}


@dataclass(frozen=True)
class AudioTrack:
    """A range of a video's first audio stream. `Video.audio` makes one."""

    path: Path  # of the video
    stream: int  # number of the stream in the file
    codec: str  # ffmpeg's name for it
    delay: Fraction  # seconds by which ffmpeg starts the sound too early when it reads nothing but sound
    start: float = 0.0  # seconds since the start of the video
    end: float | None = None  # seconds; None for the end of the video

    def codec_in(self, container: str) -> str:
        """ffmpeg's encoder for this sound in a container, "mp4" or "mov": `copy` where players expect the codec there."""
        return "copy" if self.codec in _COPIED[container] else "aac"
