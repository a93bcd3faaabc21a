"""Reads a jobs file, CSV or JSONL, in which each line names a video and a sentence.

Every mistake in it is an error that names its line and is found before the first video is segmented.
"""

import csv
import io
import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virst_cli.errors import UsageError
from virst_cli.files.shown import shown

COLUMNS = ("video", "text")
EXAMPLE = "the first line of a CSV file must be video,text"


@dataclass(frozen=True)
class JobRow:
    """One sentence about one video.

    line: number of the line on which it ends, from 1.
    video: the path of the video as it is written.
    path: the same path from the working folder.
    text: the sentence.
    """

    line: int
    video: str
    path: Path
    text: str


def read_rows(file: Path) -> list[JobRow]:
    """All rows of a jobs file, in order.

    Raises UsageError if the file is not a jobs file or can't be read, if a row is wrong, or if a video does not exist.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise UsageError(f"{shown(file)}: the name of a jobs file must end in .csv or .jsonl; rename it")
    rows = [_row(file, line, fields) for line, fields in reader(file, _text(file))]
    if not rows:
        raise UsageError(f"{shown(file)} holds no jobs; add lines that name a video and a text")
    return rows


def _text(file: Path) -> str:
    """The text of a file. Raises UsageError if it is not a regular UTF-8 file or can't be read."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # opening a FIFO would wait for its writer
            raise UsageError(f"{shown(file)} is not a regular file; give a .csv or .jsonl file")
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown(file)} is not UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{shown(file)} can't be read: {reason}") from None


def _csv(file: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line number, fields) of each row of a CSV file. Raises UsageError if the CSV is wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if not cells:
                continue
            if header is None:
                header = _header(file, cells)
            elif len(cells) != len(header):
                raise UsageError(
                    f"{shown(file)}, line {reader.line_num}: {len(cells)} values for {len(header)} columns; "
                    'a text with a comma needs quotes: clip.mp4,"the dog, not the cat"'
                )
            else:
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise UsageError(f"{shown(file)}, line {reader.line_num}: not valid CSV: {error}") from None


def _header(file: Path, cells: list[str]) -> list[str]:
    """The column names in the first row of a CSV file. Raises UsageError if a column is missing."""
    names = [cell.strip() for cell in cells]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        found = ", ".join(map(repr, names))
        raise UsageError(f"{shown(file)} has no column {' and no column '.join(missing)}, only {found[:200]}; {EXAMPLE}")
    return names


def _jsonl(file: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line number, fields) of each line of a JSONL file. Raises UsageError if the JSON is wrong."""
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines(): JSON may hold U+2028
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{shown(file)}, line {number}: not valid JSON: {error.msg} at column {error.colno}") from None
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits, or thousands of brackets
            raise UsageError(f"{shown(file)}, line {number}: not valid JSON: {error}") from None
        if not isinstance(fields, dict):
            raise UsageError(f'{shown(file)}, line {number}: not a JSON object; write {{"video": "clip.mp4", "text": "the dog"}}')
        yield number, fields


def _row(file: Path, line: int, fields: dict[str, Any]) -> JobRow:
    """A checked row. Raises UsageError if a field is missing or empty, or if the video does not exist or can't be read."""
    for column in COLUMNS:
        if not isinstance(fields.get(column), str) or not fields[column].strip():
            raise UsageError(f"{shown(file)}, line {line}: {column} is missing or empty; every line needs a video and a text")
    path = file.parent / fields["video"]
    try:
        path.stat()
    except FileNotFoundError:
        where = "" if Path(fields["video"]).is_absolute() else f"; relative paths start at the folder of {shown(Path(file.name))}"
        raise UsageError(f"{shown(file)}, line {line}: {shown(path)} does not exist{where}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL, or half a surrogate pair
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{shown(file)}, line {line}: {shown(path)} can't be read: {reason}") from None
    return JobRow(line, fields["video"], path, fields["text"])
