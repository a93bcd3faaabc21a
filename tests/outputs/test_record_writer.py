"""A run continues where it was interrupted, replaces an old one only at its end, and is never mixed with another."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from virst_cli.errors import DiskFull, OutputError
from virst_cli.outputs.record import Record
from virst_cli.outputs.record_writer import RecordWriter

# a process that writes frames until it is killed and prints when it has written ten, or that is killed inside `finish`
CHILD = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from virst_cli.outputs.record_writer import RecordWriter
folder, recorded_request, kill_at = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
writer = RecordWriter.open(folder, recorded_request, overwrite=True, resume=False)
masks = np.zeros((2, 11, 17), bool)
for index in range(10 if kill_at >= 0 else 10**9):
    masks[0, 5, index % 17] ^= True
    writer.append(index, index / 24, masks, [1.0, 2.0])
    if index == 9:
        print("ten", flush=True)
steps = iter(range(100))
def counted(event, args):
    if event in ("os.rename", "os.remove") and next(steps) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(counted)
writer.finish({})
"""


def opened(folder, recorded_request, *, overwrite=False, resume=False):
    return RecordWriter.open(folder, recorded_request, overwrite=overwrite, resume=resume)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def masks_bytes(folder):
    return (folder / "masks.jsonl").read_bytes()


def killed_while_writing(folder, recorded_request):
    child = subprocess.Popen([sys.executable, "-c", CHILD, folder, json.dumps(recorded_request), "-1"], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ten\n"
        child.send_signal(signal.SIGKILL)


def killed_while_finishing(folder, recorded_request, step):
    command = [sys.executable, "-c", CHILD, folder, json.dumps(recorded_request), str(step)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=False).returncode == -signal.SIGKILL


def test_a_kill_while_writing_leaves_no_final_name_and_can_be_resumed(folder, recorded_request):
    killed_while_writing(folder, recorded_request)
    assert not [name for name in names(folder) if name in ("run.json", "masks.jsonl")]
    with pytest.raises(OutputError, match="--resume"):
        Record.open(folder)
    with opened(folder, recorded_request, resume=True) as writer:
        assert writer.frames_done >= 10
        writer.keep(10)
        writer.finish({})
    assert len(list(Record.open(folder))) == 10


def test_a_kill_at_any_step_of_finishing_leaves_an_old_or_a_new_run_or_one_to_resume(tmp_path, recorded_request, add):
    outcomes = []
    for step in range(20):
        folder = tmp_path / f"{step}.virst"
        with opened(folder, recorded_request) as writer:  # an old run is in the folder
            add(writer, 6)
            writer.finish({})
        if not killed_while_finishing(folder, recorded_request, step):
            break
        if (folder / "run.json").exists():
            outcomes.append(len(list(Record.open(folder))))
        else:
            outcomes.append(0)
        if (record := Record.find(folder, recorded_request)) is None:
            with opened(folder, recorded_request, resume=True) as writer:
                assert writer.frames_done == 10
                writer.finish({})
            record = Record.open(folder)
        assert len(list(record)) in (6, 10)
        if (folder / "run.json.partial").exists():  # the old run is still there, the new one can continue
            with opened(folder, recorded_request, resume=True) as writer:
                assert writer.frames_done == 10
                writer.finish({})
            assert len(list(Record.open(folder))) == 10
    assert outcomes == [6, 6, 0, 0, 10]  # run.json.partial complete, old name gone, masks renamed, run renamed, lock gone


def test_resumed_masks_are_byte_for_byte_those_of_an_uninterrupted_run(run, tmp_path, recorded_request, add):
    for cut in range(7):
        folder = tmp_path / f"{cut}.virst"
        with opened(folder, recorded_request) as writer:
            add(writer, cut)
        with opened(folder, recorded_request, resume=True) as writer:
            assert writer.frames_done == cut
            add(writer, 6)
            writer.finish({})
        assert masks_bytes(folder) == masks_bytes(run)
        assert Record.open(folder).run["found"] == [True, True]


def test_a_file_cut_at_any_byte_continues_to_the_same_masks(run, tmp_path, recorded_request, add):
    whole = masks_bytes(run)
    folder = tmp_path / "cut.virst"
    with opened(folder, recorded_request) as writer:
        add(writer, 6)
    for length in range(0, len(whole), 7):
        (folder / "masks.jsonl.partial").write_bytes(whole[:length])
        with opened(folder, recorded_request, resume=True) as writer:
            assert writer.frames_done == max(0, whole[:length].count(b"\n") - 1)
            add(writer, 6)
        assert (folder / "masks.jsonl.partial").read_bytes() == whole


def test_damage_in_the_middle_drops_all_frames_after_it(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        add(writer, 6)
    path = folder / "masks.jsonl.partial"
    path.write_bytes(path.read_bytes().replace(b'{"frame":3', b'{"frame":4'))
    with opened(folder, recorded_request, resume=True) as writer:
        assert writer.frames_done == 3


def test_a_caller_keeps_the_frames_from_which_it_can_continue(folder, recorded_request, add, masks_of, run):
    with opened(folder, recorded_request, overwrite=True) as writer:
        add(writer, 6)
    with opened(folder, recorded_request, resume=True) as writer:
        writer.keep(4)
        writer.keep(2)
        assert writer.frames_done == 2
        assert [(row.index, row.masks.sum()) for row in writer.rows()] == [(0, 16), (1, 16)]
        with pytest.raises(ValueError, match="can't be kept"):
            writer.keep(3)
        add(writer, 3)  # without frame 3, the only one that shows the cat
        writer.finish({})
    assert Record.open(folder).run["found"] == [True, False]
    assert [np.array_equal(row.masks, masks_of(row.index)) for row in Record.open(folder)] == [True] * 3


def test_rows_can_be_read_while_more_are_added(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        add(writer, 3)
        kept = writer.rows()
        next(kept)
        add(writer, 5)
        assert [row.index for row in writer.rows()] == [0, 1, 2, 3, 4]
        assert next(kept).index == 1


def test_a_finished_run_is_not_overwritten_unasked(run, recorded_request):
    for resume in (False, True):
        with pytest.raises(OutputError, match=r"--overwrite.*--resume"):
            opened(run, recorded_request, resume=resume)
    assert len(list(Record.open(run))) == 6
    assert names(run) == ["masks.jsonl", "run.json"]


def test_an_unfinished_run_is_not_overwritten_unasked(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        add(writer, 2)
    with pytest.raises(OutputError, match=r"--resume continues it.*--overwrite"):
        opened(folder, recorded_request)


@pytest.mark.parametrize("part", ["sentences", "model", "settings"])
def test_frames_of_another_request_are_never_reused(folder, recorded_request, add, part):
    with opened(folder, recorded_request) as writer:
        add(writer, 2)
    other = recorded_request | {part: ["x", "y"]}
    for resume in (False, True):
        with pytest.raises(OutputError, match="of another video, sentence, model or setting"):
            opened(folder, other, resume=resume)
    with opened(folder, other, overwrite=True, resume=True) as writer:
        assert writer.frames_done == 0
    with opened(folder, other, resume=True) as writer:
        assert writer.frames_done == 0


def test_frames_beside_an_unreadable_request_are_not_reused(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        add(writer, 2)
    (folder / "run.json.partial").write_text("{")
    with pytest.raises(OutputError, match="of another"):
        opened(folder, recorded_request, resume=True)


def test_frames_whose_request_is_gone_are_not_reused(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        add(writer, 2)
    (folder / "run.json.partial").unlink()
    with opened(folder, recorded_request, resume=True) as writer:
        assert writer.frames_done == 0


def test_overwriting_starts_again_and_the_old_run_stays_until_the_end(run, recorded_request, add):
    with opened(run, recorded_request, overwrite=True) as writer:
        add(writer, 2)
        assert len(list(Record.open(run))) == 6
    assert len(list(Record.open(run))) == 6
    with opened(run, recorded_request, resume=True) as writer:  # the overwriting run was interrupted and may continue
        assert writer.frames_done == 2
        writer.finish({})
    assert len(list(Record.open(run))) == 2


def test_overwriting_replaces_an_unfinished_run(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        add(writer, 2)
    with opened(folder, recorded_request, overwrite=True) as writer:
        assert writer.frames_done == 0


def test_an_exception_keeps_the_work_and_frees_the_folder(folder, recorded_request, add):
    def cut_off():
        with opened(folder, recorded_request) as writer:
            add(writer, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert names(folder) == ["masks.jsonl.partial", "run.json.partial"]
    with opened(folder, recorded_request, resume=True) as writer:
        assert writer.frames_done == 2


def test_frames_that_do_not_fit_are_a_value_error(folder, recorded_request, masks_of):
    with opened(folder, recorded_request) as writer:
        with pytest.raises(ValueError, match="comes next"):
            writer.append(1, 0.0, masks_of(0), [0.0, 0.0])
        with pytest.raises(ValueError, match="scores"):
            writer.append(0, 0.0, masks_of(0), [0.0])
        with pytest.raises(ValueError, match="display"):
            writer.append(0, 0.0, masks_of(0)[:, :-1], [0.0, 0.0])
        with pytest.raises(ValueError, match="display"):
            writer.append(0, 0.0, masks_of(0).astype(np.uint8), [0.0, 0.0])
        with pytest.raises(ValueError, match="JSON"):
            writer.append(0, 0.0, masks_of(0), [0.0, float("nan")])
        assert writer.frames_done == 0


def test_a_request_with_parts_that_the_record_adds_is_refused(folder, recorded_request):
    with pytest.raises(ValueError, match="frames"):
        opened(folder, recorded_request | {"frames": 3})
    assert not folder.exists()


def test_a_file_in_place_of_the_folder_is_an_error(folder, recorded_request):
    folder.touch()
    with pytest.raises(OutputError, match="File exists"):
        opened(folder, recorded_request)


def test_a_full_disk_is_reported_and_leaves_no_final_name(folder, recorded_request, add, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(folder, recorded_request) as writer:
        add(writer, 2)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull, match="the disk is full"):
            writer.finish({})
    assert names(folder) == ["masks.jsonl.partial", "run.json.partial"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_up_while_writing_is_reported(folder, recorded_request, add):
    with opened(folder, recorded_request) as writer:
        writer._file.close()
        writer._file = Path("/dev/full").open("r+b")  # noqa: SIM115 - the writer closes it
        with pytest.raises(DiskFull):
            add(writer, 1)
        assert writer.frames_done == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_an_error(tmp_path, recorded_request):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="-o"):
        opened(tmp_path / "x.virst", recorded_request)
