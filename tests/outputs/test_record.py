"""A finished record returns what was written, and a damaged one is an error in one line."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virst_cli.errors import OutputError
from virst_cli.outputs.record import Record
from virst_cli.outputs.record_writer import RecordWriter
from virst_cli.outputs.request_key import file_identity, request_key


def test_a_finished_run_gives_back_every_mask_time_and_score(run, recorded_request, masks_of):
    record = Record.open(run)
    rows = list(record)
    assert (record.size, list(record.sentences), len(record)) == ((11, 17), recorded_request["sentences"], 6)
    for index, row in enumerate(rows):
        assert (row.index, row.time, row.scores) == (index, index / 24, (1.5, -index / 3))
        assert np.array_equal(row.masks, masks_of(index))


def test_run_json_holds_the_request_and_the_results(run, recorded_request):
    content = json.loads((run / "run.json").read_text())
    assert list(content)[:2] == ["schema_version", "key"]
    assert recorded_request.items() <= content.items()
    assert content["key"] == request_key(recorded_request)
    assert (content["frames"], content["found"], content["timings"]) == (6, [True, True], {"total": 1.0})


def test_masks_jsonl_is_as_documented(run):
    first, *lines = (json.loads(line) for line in (run / "masks.jsonl").read_text().splitlines())
    assert first == {"schema_version": 1, "size": [11, 17], "sentences": ["the dog that jumps last", "the cat"]}
    assert [line["frame"] for line in lines] == list(range(6))
    assert all(list(line) == ["frame", "time", "masks", "scores"] for line in lines)
    assert [line["masks"][1] is None for line in lines] == [True, True, True, False, True, True]


def test_a_finished_folder_holds_nothing_else(run):
    assert sorted(file.name for file in run.iterdir()) == ["masks.jsonl", "run.json"]


def test_nothing_found_is_a_result(folder, recorded_request):
    with RecordWriter.open(folder, recorded_request, overwrite=False, resume=False) as writer:
        writer.append(0, 0.0, np.zeros((2, 11, 17), np.bool_), [-3.0, -4.0])
        writer.finish({})
    assert Record.open(folder).run["found"] == [False, False]


def test_any_characters_in_sentences_survive(folder, recorded_request):
    recorded_request["sentences"] = ["最后跳的狗 🐕\n\x00\u2028", "a \udc80 file name that is not UTF-8"]
    with RecordWriter.open(folder, recorded_request, overwrite=False, resume=False) as writer:
        writer.append(0, 0.0, np.zeros((2, 11, 17), np.bool_), [0.0, 0.0])
        writer.finish({})
    assert list(Record.open(folder).sentences) == recorded_request["sentences"]
    assert len(list(Record.open(folder))) == 1


def test_the_same_request_finds_its_run_and_another_does_not(run, recorded_request):
    found = Record.find(run, recorded_request | {"versions": {"virst": "other"}})
    assert found is not None
    assert len(found) == 6
    assert Record.find(run, recorded_request | {"settings": {"chunk": 8}}) is None
    assert Record.find(run.with_name("none.virst"), recorded_request) is None


def test_the_newest_run_is_found(run, tmp_path):
    assert Record.newest(tmp_path) == run
    with pytest.raises(OutputError, match="no finished run"):
        Record.newest(run)


@pytest.mark.parametrize("part", ["video", "sentences", "model", "settings"])
def test_each_part_of_the_key_changes_it(part, recorded_request):
    assert request_key(recorded_request) != request_key(recorded_request | {part: ["other"]})
    with pytest.raises(ValueError, match=part):
        request_key({name: value for name, value in recorded_request.items() if name != part})


def test_a_video_that_changed_is_another_video(tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(b"1")
    before = file_identity(video)
    video.write_bytes(b"12")
    assert file_identity(video) != before
    assert file_identity(tmp_path)["bytes"] == 2


def lines_of(run):
    return (run / "masks.jsonl").read_bytes().splitlines(keepends=True)


def damaged(run, lines):
    (run / "masks.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(OutputError) as caught:
        list(Record.open(run))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_frame_is_noticed(run):
    lines = lines_of(run)
    assert "line 4 is damaged (it is frame 3 where frame 2 must come)" in damaged(run, lines[:3] + lines[4:])


def test_missing_last_frames_are_noticed(run):
    assert "holds 5 of 6 frames" in damaged(run, lines_of(run)[:-1])


def test_an_incomplete_line_is_noticed(run):
    lines = lines_of(run)
    assert "line 7 is damaged (it is incomplete)" in damaged(run, [*lines[:-1], lines[-1][:-9]])


@pytest.mark.parametrize(
    "change",
    [
        {"frame": True},
        {"frame": -1},
        {"time": None},
        {"time": float("nan")},
        {"time": 10**400},
        {"masks": [None]},
        {"masks": [None, {"size": [1, 1], "counts": "1"}]},
        {"masks": [None, {"size": [11, 17], "counts": "1"}]},
        {"masks": [None, 3]},
        {"masks": None},
        {"scores": [1.0]},
        {"scores": [1.0, "2"]},
        {"scores": [1.0, float("inf")]},
    ],
)
def test_a_changed_line_is_noticed(run, change):
    lines = lines_of(run)
    lines[2] = json.dumps(json.loads(lines[2]) | change).encode() + b"\n"
    assert "line 3 is damaged" in damaged(run, lines)


@pytest.mark.parametrize("header", [b"", b"\n", b"[]\n", b'{"schema_version": 2}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_a_wrong_first_line_is_noticed(run, header):
    assert "line 1 is damaged" in damaged(run, [header, *lines_of(run)[1:]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_flipped_byte_is_an_error_in_one_line_or_a_record_of_the_same_shape(run, data):
    whole = (run / "masks.jsonl").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255))
    (run / "masks.jsonl").write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
    try:
        result = {row.masks.shape for row in Record.open(run)}
    except OutputError as error:
        result = str(error)
    assert result == {(2, 11, 17)} or (isinstance(result, str) and "\n" not in result)
    (run / "masks.jsonl").write_bytes(whole)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(OutputError, match="is not a run folder"):
        Record.open(tmp_path)
    with pytest.raises(OutputError, match="is not a run folder"):
        Record.open(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "why"), [("{", "not valid JSON"), ("[]", "schema version"), ('{"schema_version": 2}', "update virst")]
)
def test_a_wrong_run_json_is_refused(run, text, why):
    (run / "run.json").write_text(text)
    with pytest.raises(OutputError, match=why):
        Record.open(run)


def test_missing_masks_are_noticed(run):
    (run / "masks.jsonl").unlink()
    with pytest.raises(OutputError, match=r"masks\.jsonl"):
        Record.open(run)


def test_masks_of_another_run_are_noticed(run):
    lines = lines_of(run)
    lines[0] = lines[0].replace(b"cat", b"cow")
    assert "belong to different runs" in damaged(run, lines)
