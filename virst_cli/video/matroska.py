"""Raw frames with their times, as a Matroska stream: how to hand ffmpeg frames of a variable rate through a pipe.

A bare `rawvideo` pipe has no times. Matroska (RFC 9559) is a tree of EBML elements (RFC 8794): an id, a length, a body.
What is needed of it is small: one track of uncompressed pictures, then a cluster for each frame with its time in
nanoseconds.
"""

from fractions import Fraction
from typing import Literal

Pixels = Literal["rgb", "gray", "rgba"]

_FOURCC = {"rgb": b"RGB\x18", "gray": b"Y800", "rgba": b"RGBA"}  # ffmpeg's names for raw rgb24, gray, rgba

_EBML, _DOC_TYPE = 0x1A45DFA3, 0x4282
_SEGMENT, _INFO, _TICK = 0x18538067, 0x1549A966, 0x2AD7B1
_TRACKS, _TRACK, _NUMBER, _UID, _TYPE, _CODEC = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83, 0x86
_DURATION, _VIDEO, _WIDTH, _HEIGHT, _COLOUR = 0x23E383, 0xE0, 0xB0, 0xBA, 0x2EB524
_CLUSTER, _TIME, _BLOCK = 0x1F43B675, 0xE7, 0xA3


def head(width: int, height: int, pixels: Pixels, rate: Fraction) -> bytes:
    """The start of the stream, which lasts as long as the pipe is open. `rate`: frames a second, for the last one."""
    video = _number(_WIDTH, width) + _number(_HEIGHT, height) + _element(_COLOUR, _FOURCC[pixels])
    track = _number(_NUMBER, 1) + _number(_UID, 1) + _number(_TYPE, 1) + _element(_CODEC, b"V_UNCOMPRESSED")
    track += _number(_DURATION, round(1_000_000_000 / rate))
    body = _element(_INFO, _number(_TICK, 1)) + _element(_TRACKS, _element(_TRACK, track + _element(_VIDEO, video)))
    endless = b"\x01" + b"\xff" * 7  # a length of all ones: unknown
    return _element(_EBML, _element(_DOC_TYPE, b"matroska")) + _id(_SEGMENT) + endless + body


def frame_head(nanoseconds: int, size: int) -> bytes:
    """What goes before the `size` bytes of a frame."""
    time = _number(_TIME, nanoseconds)
    block = b"\x81\x00\x00\x80"  # track 1, no offset from the cluster's time, a key frame
    block_head = _id(_BLOCK) + _length(len(block) + size)
    return _id(_CLUSTER) + _length(len(time) + len(block_head) + len(block) + size) + time + block_head + block


def _element(number: int, body: bytes) -> bytes:
    return _id(number) + _length(len(body)) + body


def _number(number: int, value: int) -> bytes:
    return _element(number, value.to_bytes(8, "big"))


def _id(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _length(value: int) -> bytes:
    return (1 << 56 | value).to_bytes(8, "big")  # the leading 1 says: eight bytes
