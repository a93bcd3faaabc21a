"""Jobs files are read as CSV or JSONL, and every mistake names its line."""

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virst_cli.batch.jobs_file import read_rows
from virst_cli.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two empty files named like videos."""
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "videos/b, c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parsed(path: Path) -> list[tuple[int, str, str]]:
    return [(row.line, row.video, row.text) for row in read_rows(path)]


@pytest.mark.parametrize(
    "content",
    [
        'video,text\na.mp4,the dog\n"videos/b, c.mp4","the ""red"" dog, not the cat"\n',
        'video, text\r\na.mp4, the dog\r\n"videos/b, c.mp4", "the ""red"" dog, not the cat"',
        '\ufeffid,text,video\n1,the dog,a.mp4\n2,"the ""red"" dog, not the cat","videos/b, c.mp4"\n',
    ],
    ids=["plain", "windows, spaces", "byte order mark, other columns"],
)
def test_csv_as_people_and_spreadsheets_write_it(content: str, folder: Path):
    rows = read_rows(write(folder, "jobs.csv", content))
    assert [(row.line, row.video, row.text) for row in rows] == [
        (2, "a.mp4", "the dog"),
        (3, "videos/b, c.mp4", 'the "red" dog, not the cat'),
    ]
    assert [row.path for row in rows] == [folder / "a.mp4", folder / "videos" / "b, c.mp4"]


def test_jsonl_with_blank_lines_and_other_keys(folder: Path):
    lines = [{"video": "a.mp4", "text": "the dog\u2028"}, {"text": "a cat", "video": str(folder / "a.mp4"), "id": 7}]
    content = "\ufeff" + "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\r\n"
    assert parsed(write(folder, "JOBS.JSONL", content)) == [(1, "a.mp4", "the dog\u2028"), (3, str(folder / "a.mp4"), "a cat")]


@given(st.lists(st.text(st.characters(codec="utf-8")).filter(str.strip), min_size=1))
def test_every_sentence_comes_back_from_csv_and_from_jsonl(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "a.mp4").touch()
    with (folder / "jobs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("video", "text"), *(("a.mp4", text) for text in texts)])
    write(folder, "jobs.jsonl", "".join(json.dumps({"video": "a.mp4", "text": text}) + "\n" for text in texts))
    for name in ("jobs.csv", "jobs.jsonl"):
        assert [row.text for row in read_rows(folder / name)] == texts


BAD = [
    ("jobs.csv", "", "holds no jobs"),
    ("jobs.csv", "video,text\n", "holds no jobs"),
    ("jobs.jsonl", "\n \n", "holds no jobs"),
    (
        "jobs.csv",
        "path,text\na.mp4,the dog\n",
        "has no column video, only 'path', 'text'; the first line of a CSV file must be video,text",
    ),
    ("jobs.csv", "a.mp4,the dog\n", "no column video and no column text, only 'a.mp4', 'the dog'"),
    ("jobs.csv", "video;text\na.mp4;the dog\n", "only 'video;text'"),
    ("jobs.csv", "video,text\na.mp4,the dog, not the cat\n", "line 2: 3 values for 2 columns; a text with a comma needs quotes"),
    ("jobs.csv", "video,text\na.mp4,the dog\na.mp4\n", "line 3: 1 values"),
    ("jobs.csv", 'video,text\na.mp4,"the dog\n', "line 2: not valid CSV: unexpected end of data"),
    ("jobs.csv", "video,text\na.mp4,\n", "line 2: text is missing or empty"),
    ("jobs.csv", "video,text\n,the dog\n", "line 2: video is missing or empty"),
    (
        "jobs.csv",
        "video,text\na.mp4,the dog\nno.mp4,the dog\n",
        "line 3: {folder}/no.mp4 does not exist; relative paths start at the folder of jobs.csv",
    ),
    ("jobs.csv", "video,text\n/no/such.mp4,the dog\n", "line 2: /no/such.mp4 does not exist"),
    ("jobs.csv", "video,text\na.mp4/b,the dog\n", "line 2: {folder}/a.mp4/b can't be read: Not a directory"),
    ("jobs.csv", f"video,text\n{'a' * 300},the dog\n", "can't be read: File name too long"),
    ("jobs.csv", "video,text\na.mp4,caf\u00e9\n".encode("latin-1"), "not UTF-8 (byte 20"),
    ("jobs.csv", "video,text\na.mp4,the dog\n".encode("utf-16"), "not UTF-8 (byte 0"),
    (
        "jobs.jsonl",
        '{"video": "a.mp4", "text": "x"}\n{"video": "a.mp4"\n',
        "line 2: not valid JSON: Expecting ',' delimiter at column 18",
    ),
    ("jobs.jsonl", '["a.mp4", "the dog"]\n', "line 1: not a JSON object"),
    ("jobs.jsonl", '{"video": "a.mp4"}\n', "line 1: text is missing or empty"),
    ("jobs.jsonl", '{"video": "a.mp4", "text": ["the dog"]}\n', "line 1: text is missing or empty"),
    ("jobs.jsonl", '{"video": "a\\u0000.mp4", "text": "x"}\n', "can't be read: embedded null byte"),
    ("jobs.jsonl", '{"video": "\\ud800.mp4", "text": "x"}\n', "line 1"),
    ("jobs.jsonl", "[" * 100_000, "line 1: not valid JSON"),
    ("jobs.txt", "video,text\n", "must end in .csv or .jsonl"),
]


@pytest.mark.parametrize(("name", "content", "why"), BAD, ids=[why[:40] for _, _, why in BAD])
def test_a_mistake_is_one_line_that_says_where(name: str, content: str | bytes, why: str, folder: Path):
    with pytest.raises(UsageError) as caught:
        read_rows(write(folder, name, content))
    message = str(caught.value)
    assert why.format(folder=folder) in message
    assert message.startswith(str(folder / name))
    assert "\n" not in message


def test_a_folder_or_pipe_is_refused_at_once(tmp_path: Path):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("folder.csv", "pipe.csv"):
        with pytest.raises(UsageError, match="not a regular file"):
            read_rows(tmp_path / name)
    with pytest.raises(UsageError, match="can't be read: No such file or directory"):
        read_rows(tmp_path / "no.csv")
