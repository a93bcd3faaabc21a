"""Every data set is read from its published layout, whole and in order; what is missing or damaged is named."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.bench import layouts
from tests.bench.layouts import FRAMES, HEIGHT, NAMES, PUBLIC, VIDEOS, WIDTH, WRITERS, answer, things
from tests.bench.models import Oracle, Silent
from virst_cli.bench import open_dataset, run_benchmark, score_predictions
from virst_cli.bench.datasets import OPENERS
from virst_cli.errors import UsageError
from virst_cli.outputs import rle


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    """Replaces a JSON or pickled table by what `edit` makes of it."""
    pickled = path.suffix == ".pkl"
    table = pickle.loads(path.read_bytes()) if pickled else json.loads(path.read_text())
    path.write_bytes(pickle.dumps(edit(table)) if pickled else json.dumps(edit(table)).encode())


def own_folder(name: str, root: Path) -> Path:
    """The data set's own folder."""
    (only,) = root.iterdir()
    return {"mevis": only / "valid_u", "mevis-test": only / "valid"}.get(name, only)


def test_every_name_of_the_command_line_has_a_layout_here() -> None:
    assert set(OPENERS) == {*WRITERS, "world"}


@pytest.mark.parametrize("name", WRITERS)
def test_videos_frames_and_sentences_are_read_from_the_root_or_the_sets_own_folder(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    for root in (tmp_path, own_folder(name, tmp_path)):
        dataset = open_dataset(name, root)
        assert (dataset.name, len(dataset)) == (name, 2)
        for number, sample in enumerate(dataset[i] for i in range(2)):
            assert sample.video.endswith(VIDEOS[number])
            assert (list(sample.frame_names), sample.size, list(sample.missing)) == (NAMES, (HEIGHT, WIDTH), [])
            assert [frame.shape for frame in sample.frames] == [(HEIGHT, WIDTH, 3)] * FRAMES
            assert len({sample.folder(expression) for expression in sample.expressions}) == len(sample.expressions)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_truth_gets_everything_from_a_model_and_from_a_folder(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(name, WRITERS[name](tmp_path / "data"))
    for report in (
        run_benchmark(dataset, Oracle(dataset), name="oracle"),
        score_predictions(dataset, answer(dataset, tmp_path / "masks")),
    ):
        assert (report.missing, report.extra) == ([], [])
        assert report.scores == {"J": 100.0, "F": 100.0, "J&F": 100.0}
        assert {row.video for row in report.expression_scores} == {dataset[0].video, dataset[1].video}


@pytest.mark.parametrize("name", ["mevis-test", "ref-youtube-vos"])
def test_a_set_that_only_a_server_scores_has_no_scores_but_is_checked(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(name, WRITERS[name](tmp_path / "data"))
    found = run_benchmark(dataset, Silent(), name="silent").as_dict()
    assert (found["scores"], found["by_type"], found["by_video"]) == (None, {}, {})
    assert found["expressions"] == sum(len(dataset[i].expressions) for i in range(2))
    masks = answer(dataset, tmp_path / "masks")
    (masks / dataset[1].video / "1" / f"{NAMES[2]}.png").unlink()
    assert score_predictions(dataset, masks).missing == [f"{dataset[1].video}/1/{NAMES[2]}.png"]
    with pytest.raises(UsageError, match="not public"):
        dataset[0].expressions[0].truth[0]


@pytest.mark.parametrize("folder", ["refytvos", "Ref-Youtube-VOS"])
def test_ref_youtube_vos_goes_by_both_its_names_without_the_videos_of_its_test_split(folder: str, tmp_path: Path) -> None:
    root = layouts.youtube(tmp_path, folder, test=["bee", "yak"])
    dataset = open_dataset("ref-youtube-vos", root)
    assert [dataset[i].video for i in range(len(dataset))] == list(VIDEOS)  # sorted; in the table they are not


def test_valid_and_test_together_are_refused_without_the_table_that_tells_them_apart(tmp_path: Path) -> None:
    root = layouts.youtube(tmp_path)
    meta = root / "refytvos" / "meta_expressions" / "valid" / "meta_expressions.json"
    change(meta, lambda table: {"videos": {f"video{i}": table["videos"][VIDEOS[0]] for i in range(203)}})
    with pytest.raises(UsageError, match=r"203 videos.*meta_expressions/test"):
        open_dataset("ref-youtube-vos", root)


def test_mevis_goes_by_both_its_names(tmp_path: Path) -> None:
    assert len(open_dataset("mevis", layouts.mevis(tmp_path, folder="MeViS"))) == 2


def test_sentences_of_davis_keep_the_order_of_the_file_and_find_their_masks_by_sorted_text(tmp_path: Path) -> None:
    root = layouts.davis(tmp_path)
    meta = root / "davis17" / "meta_expressions" / "valid" / "meta_expressions.json"

    def twelve(table: Any) -> Any:  # so that "10" and "11" come between "1" and "2"
        for fields in table["videos"].values():
            fields["expressions"] = {str(key): {"exp": f"sentence {key}"} for key in range(12)}
        return table

    change(meta, twelve)
    boxes = np.zeros((24, HEIGHT, WIDTH), bool)
    for number, (video, key) in enumerate((v, k) for v in range(2) for k in sorted(map(str, range(12)))):
        boxes[number, : 1 + 2 * int(key), : 10 + video] = True
    rows = {str(number): [rle.encode(box)] * FRAMES for number, box in enumerate(boxes)}
    change(root / "davis17" / "valid" / "mask_dict.pkl", lambda _: rows)
    dataset = open_dataset("ref-davis17", root)
    for video in range(2):
        expressions = dataset[video].expressions
        assert [expression.id for expression in expressions] == [str(key) for key in range(12)]
        for key, expression in enumerate(expressions):
            mask = expression.truth[1]
            assert mask is not None
            assert mask.sum() == (1 + 2 * key) * (10 + video)


def test_types_of_revos_are_named_and_its_foreground_is_every_annotated_thing(tmp_path: Path) -> None:
    dataset = open_dataset("revos", layouts.revos(tmp_path))
    sample = dataset[1]
    assert [expression.type for expression in sample.expressions] == ["referring", "reasoning", "neither"]
    assert sample.video == f"TAO/{VIDEOS[1]}"
    assert sample.foreground is not None
    for t in range(FRAMES):
        assert np.array_equal(sample.foreground[t], things(1)[:, t].any(axis=0))


def test_reason_vos_counts_only_annotated_frames_and_numbers_sentences_by_thing(tmp_path: Path) -> None:
    dataset = open_dataset("reason-vos", layouts.reason_vos(tmp_path / "data"))
    masks = answer(dataset, tmp_path / "masks")
    sample = dataset[0]
    assert [sample.folder(e) for e in sample.expressions] == [f"mose_{VIDEOS[0]}_{1 + k // 2}/{k % 2}" for k in range(4)]
    assert [e.type for e in sample.expressions] == ["phrase", "sentence"] * 2
    full = Image.new("L", (WIDTH, HEIGHT), 255)
    full.save(masks / f"mose_{VIDEOS[0]}_2" / "0" / f"{NAMES[1]}.png")  # no annotation says that this is wrong
    assert score_predictions(dataset, masks).scores == {"J": 100.0, "F": 100.0, "J&F": 100.0}
    full.save(masks / f"mose_{VIDEOS[0]}_2" / "0" / f"{NAMES[2]}.png")
    row = next(row for row in score_predictions(dataset, masks).expression_scores if row.expression == "2/0")
    assert row.j == pytest.approx((1 + things(0)[1, 2].mean()) / 2)


def test_masks_may_have_a_third_axis_and_counts_in_bytes(tmp_path: Path) -> None:
    root = layouts.davis(tmp_path)
    before = [np.asarray(e.truth[2]) for e in open_dataset("ref-davis17", root)[0].expressions]

    def in_bytes(code: Any) -> Any:
        return {"size": tuple(code["size"]), "counts": code["counts"].encode()}

    def split(mask: NDArray[np.bool_]) -> list[Any]:
        halves = np.stack([mask, mask])
        halves[0, :, : WIDTH // 2] = False
        halves[1, :, WIDTH // 2 :] = False
        return [in_bytes(rle.encode(half)) for half in halves]

    def deep(table: Any) -> Any:
        return {key: [code and split(rle.decode(code)) for code in row] for key, row in table.items()}

    change(root / "davis17" / "valid" / "mask_dict.pkl", deep)
    after = [np.asarray(e.truth[2]) for e in open_dataset("ref-davis17", root)[0].expressions]
    assert np.array_equal(before, after)


def test_frames_are_given_in_order_while_masks_keep_that_of_the_table(tmp_path: Path) -> None:
    root = layouts.mevis(tmp_path)
    home = root / "mevis" / "valid_u"

    def backwards(table: Any) -> Any:
        for fields in table["videos"].values():
            fields["frames"] = fields["frames"][::-1]
        return table

    change(home / "meta_expressions.json", backwards)
    change(home / "mask_dict.json", lambda table: {key: row[::-1] for key, row in table.items()})
    sample = open_dataset("mevis", root)[0]
    assert list(sample.frame_names) == NAMES
    assert np.array_equal(sample.expressions[0].truth[1], things(0)[0, 1])


class Payload:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "harm")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    root = layouts.davis(tmp_path)
    table = root / "davis17" / "valid" / "mask_dict.pkl"
    table.write_bytes(pickle.dumps({"0": Payload(tmp_path / "harm")}, protocol))
    with pytest.raises(UsageError, match=r"mask_dict\.pkl is not a pickle of plain tables \(it names "):
        open_dataset("ref-davis17", root)
    assert not (tmp_path / "harm").exists()
    assert pickle.loads(table.read_bytes())  # the test's own pickle does work
    assert (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1]), pickle.dumps({"0": 1}), pickle.dumps({})])
def test_a_damaged_or_foreign_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    root = layouts.davis(tmp_path)
    (root / "davis17" / "valid" / "mask_dict.pkl").write_bytes(content)
    with pytest.raises(UsageError, match=r"mask_dict\.pkl"):
        open_dataset("ref-davis17", root)


@pytest.mark.parametrize("name", ["../up", "/etc", "a//b", "", "..", "back\\slash", "line\nbreak"])
@pytest.mark.parametrize("what", ["video", "frame", "expression"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, what: str) -> None:
    root = layouts.mevis(tmp_path)

    def rename(table: Any) -> Any:
        fields = table["videos"].pop(VIDEOS[0])
        if what == "frame":
            fields["frames"][0] = name
        if what == "expression":
            fields["expressions"][name] = fields["expressions"].pop("0")
        return {"videos": {name if what == "video" else VIDEOS[0]: fields}}

    change(root / "mevis" / "valid_u" / "meta_expressions.json", rename)
    with pytest.raises(UsageError, match="is not a valid name"):
        open_dataset("mevis", root)


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_set_says_in_one_line_what_is_expected_what_is_there_and_where_to_get_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "holiday pictures").mkdir()
    with pytest.raises(UsageError) as refused:
        open_dataset(name, tmp_path)
    message = str(refused.value)
    WRITERS[name](tmp_path / "data")
    home = own_folder(name, tmp_path / "data").relative_to(tmp_path / "data")
    assert "\n" not in message
    for wanted in (f"{tmp_path}/{home}/", "meta_expressions", "JPEGImages/VIDEO", "holiday pictures/", "https://", "--root"):
        assert wanted in message
    with pytest.raises(UsageError, match="VIRST_DATA"):
        open_dataset(name)
    with pytest.raises(UsageError, match="No such file"):
        open_dataset(name, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "table"), [("mevis", "mask_dict.json"), ("revos", "mask_dict.json"), ("ref-davis17", "valid/mask_dict.pkl")]
)
def test_a_set_without_its_masks_says_which_table_is_missing(name: str, table: str, tmp_path: Path) -> None:
    home = own_folder(name, WRITERS[name](tmp_path))
    (home / table).unlink()
    with pytest.raises(UsageError, match=f"lacks {table}; found there: .*JPEGImages/|lacks {table}; found there: .*valid/"):
        open_dataset(name, tmp_path)


def test_a_row_of_masks_that_is_too_short_is_named(tmp_path: Path) -> None:
    root = layouts.revos(tmp_path)
    change(root / "ReVOS" / "mask_dict.json", lambda table: {**table, "3": table["3"][:-1]})
    with pytest.raises(UsageError, match=rf"TAO/{VIDEOS[1]}/1: annotation 3"):
        open_dataset("revos", root)


def test_a_thing_of_reason_vos_without_masks_is_named(tmp_path: Path) -> None:
    root = layouts.reason_vos(tmp_path)
    shutil.rmtree(root / "ReasonVOS" / "Annotations" / f"mose_{VIDEOS[1]}_2")
    with pytest.raises(UsageError, match=f"Annotations lacks masks for mose_{VIDEOS[1]}_2"):
        open_dataset("reason-vos", root)


def test_the_facts_of_a_set_change_with_its_sentences_and_its_frames(tmp_path: Path) -> None:
    root = layouts.mevis(tmp_path)
    home = root / "mevis" / "valid_u"
    facts = [open_dataset("mevis", root).facts() for _ in range(2)]
    assert facts[0] == facts[1] == json.loads(json.dumps(facts[0]))
    change(home / "meta_expressions.json", lambda table: json.loads(json.dumps(table).replace("sentence 0", "other words")))
    reworded = open_dataset("mevis", root).facts()
    Image.new("RGB", (WIDTH, HEIGHT)).save(home / "JPEGImages" / VIDEOS[1] / f"{NAMES[0]}.jpg")
    repainted = open_dataset("mevis", root).facts()
    assert facts[0] != reworded != repainted
