"""Parsers of option values: what they accept, and the error for anything else."""

import pytest
import typer

from virst_cli.commands.option_values import parse_pair, parse_size, parse_time


@pytest.mark.parametrize(
    ("text", "size_in_bytes"),
    [("4GB", 4 * 10**9), ("4g", 4 * 10**9), ("4 GiB", 2**32), ("3.5G", 3_500_000_000), ("900mb", 9 * 10**8), ("123", 123)],
)
def test_sizes_are_parsed_as_people_write_them(text: str, size_in_bytes: int):
    assert parse_size(text) == size_in_bytes


@pytest.mark.parametrize("text", ["", "GB", "four", "4TBB", "-1GB", "0", "1e9"])
def test_other_sizes_are_refused(text: str):
    with pytest.raises(typer.BadParameter, match="write for example 4GB or 900MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("75", 75), ("75.5", 75.5), (".5", 0.5), ("1:15", 75), ("00:01:15.500", 75.5), ("2:00:00", 7200)]
)
def test_times_are_seconds_or_clock_times(text: str, seconds: float):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1:60", "1:2:3:4", "1e3", "nan"])
def test_other_times_are_refused(text: str):
    with pytest.raises(typer.BadParameter, match="is not a time; write seconds or HH:MM:SS"):
        parse_time(text)


def test_a_time_longer_than_any_video_is_refused():
    with pytest.raises(typer.BadParameter, match="is longer than any video"):
        parse_time("9" * 400)


def test_pairs_are_two_whole_numbers():
    assert parse_pair("128X64", "x", "--size 128x128") == (128, 64)
    for text in ("128", "128x", "x64", "1.5x2", "-1x2", "1x2x3"):
        with pytest.raises(typer.BadParameter, match="is not two whole numbers; write for example --size 128x128"):
            parse_pair(text, "x", "--size 128x128")
