"""The page of a report holds what the report says, keeps foreign text harmless, and works in a real browser."""

import io
import os
import pickle
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.bench.browser import BROWSER, opened
from virst_cli.bench import page_examples
from virst_cli.bench.page import check_page, page, write_page
from virst_cli.bench.page_examples import FEW, Example, Examples
from virst_cli.bench.report import Report
from virst_cli.bench.samples import Expression, Hidden, Sample
from virst_cli.bench.scores import ExpressionScore, score_masks
from virst_cli.errors import OutputError, VideoError

Mask = NDArray[np.bool_]
HEIGHT, WIDTH, FRAMES = 90, 160, 6
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \u202e </article>"


def box(left: int) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:70, left : left + 50] = True
    return mask


def sample(name: str, texts: Sequence[str], truth: Mask | None = None) -> Sample:
    """A grey video with one thing in it, which all sentences mean."""
    frames = [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * FRAMES
    truth = box(20) if truth is None else truth
    expressions = [
        Expression(str(number), text, [truth] * FRAMES, "motion" if number % 2 else "size") for number, text in enumerate(texts)
    ]
    return Sample(name, [f"{t:05d}" for t in range(FRAMES)], frames, expressions)


def answered(video: Sample, shifts: Sequence[int], examples: Examples) -> list[ExpressionScore]:
    """The rows of a video whose sentences are answered with boxes that lie so many pixels off; below 0: no answer."""
    answers: Iterator[list[Mask | None]] = ([None if off < 0 else box(20 + off) for off in shifts] for _ in range(FRAMES))
    rows = score_masks(video, examples.observe(video, answers))
    examples.finish_video(video, rows)
    return rows


def report(
    rows: Sequence[ExpressionScore], dataset: str = "world", model: str = "virst-nano", missing: Sequence[str] = ()
) -> Report:
    videos = len({row.video for row in rows})
    return Report(dataset, model, rows, missing, videos, fps=23.4, peak_memory=10**9, baselines={"largest_object": rows})


@pytest.fixture(scope="module")
def run() -> tuple[Report, Examples]:
    """A run of twelve videos with three sentences each, one of them nasty."""
    examples = Examples()
    rows: list[ExpressionScore] = []
    for number in range(12):
        texts = ["the box", NASTY if number == 3 else "the grey thing", "all that is here"]
        video = sample("<b>third</b>" if number == 3 else f"video{number}", texts)
        rows += answered(video, [number, 20 + number, 0 if number == 3 else 60 + number], examples)
    return report(rows, model=NASTY, missing=[NASTY]), examples


class Elements(HTMLParser):
    """All elements of a page with their attributes, and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_foreign_text_is_shown_as_it_is_and_does_nothing(run: tuple[Report, Examples]) -> None:
    found = Elements(page(run[0], run[1].chosen()))
    assert [tag for tag, _ in found.found].count("script") == 1
    assert not [attrs for _, attrs in found.found if any(name.startswith("on") for name in attrs)]
    assert found.text.count(NASTY) == 4  # as the model's name in title and heading, as a sentence, and as what is missing
    assert "<b>third</b>" in found.text


def test_nothing_is_loaded_from_anywhere(run: tuple[Report, Examples]) -> None:
    found = Elements(page(run[0], run[1].chosen())).found
    addresses = [attrs[name] or "" for _, attrs in found for name in ("src", "href", "srcset", "action") if name in attrs]
    assert len(addresses) > 50
    assert all(address.startswith("data:") for address in addresses)
    assert any("default-src 'none'" in (attrs.get("content") or "") for tag, attrs in found if tag == "meta")


def test_the_numbers_of_the_report_are_there(run: tuple[Report, Examples]) -> None:
    content = run[0].as_dict()
    text = Elements(page(run[0], {})).text
    for scores in (content["scores"], *content["by_type"].values(), *content["by_video"].values()):
        assert f"{scores['J&F']:.1f}" in text
    assert "1 videos, expressions or frames are missing" in text


def test_published_systems_stand_beside_the_run() -> None:
    rows = answered(sample("video", ["the box"]), [0], Examples())
    text = page(report(rows, "mevis"), {})
    assert text.index('<tr class="ours">') < text.index("MPG-SAM2")  # the best comes first, and 100 is more than theirs
    assert "Beside published" not in page(report(rows), {})


def test_a_set_that_only_a_server_scores_has_a_page_without_scores() -> None:
    text = page(Report("mevis-test", "virst-nano", [], [], 2, None, None, hidden=7), {})
    assert "only the data set's server" in Elements(text).text
    assert "7 expressions" in text


def test_the_page_is_written_whole_and_never_over_another(tmp_path: Path, run: tuple[Report, Examples]) -> None:
    path = tmp_path / "report.html"
    write_page(run[0], path, run[1].chosen())
    assert path.read_text(encoding="utf-8") == page(run[0], run[1].chosen())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(OutputError, match=r"report\.html exists already"):
        check_page(path)
    with pytest.raises(OutputError, match="is not a folder"):
        check_page(tmp_path / "no" / "report.html")


def scores(examples: Sequence[Example]) -> list[float]:
    return [example.score.percent for example in examples]


def test_the_best_the_median_and_the_worst_are_chosen(run: tuple[Report, Examples]) -> None:
    chosen = run[1].chosen()
    of_all = sorted(50 * (row.j + row.f) for row in run[0].expression_scores)
    assert list(chosen) == ["best", "around the median", "worst"]
    assert chosen["best"][0].score.percent == of_all[-1]
    assert chosen["worst"][-1].score.percent == of_all[0]
    middle = of_all[len(of_all) // 2]
    nearest = sorted(abs(both - middle) for both in of_all)[: 4 * FEW]
    assert all(abs(both - middle) <= nearest[-1] for both in scores(chosen["around the median"]))
    picked = [example for group in chosen.values() for example in group]
    assert len(picked) == len(set(picked)) == 3 * FEW
    for group in chosen.values():
        assert len({example.score.video for example in group}) == FEW


def test_few_answers_make_few_examples() -> None:
    examples = Examples()
    assert examples.chosen() == {}
    answered(sample("video", ["one", "two"]), [0, 30], examples)
    assert {name: [example.text for example in group] for name, group in examples.chosen().items()} == {
        "best": ["one"],
        "worst": ["two"],
    }


def test_what_is_kept_does_not_grow_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_examples, "AROUND", 4)  # so that a short run is long enough
    examples = Examples()
    rng = np.random.default_rng(0)
    sizes = []
    for number in range(30):
        answered(sample(f"video{number}", ["a", "b"]), rng.integers(0, 60, 2).tolist(), examples)
        sizes.append(len(pickle.dumps(examples)))
    assert max(sizes[20:]) < 1.1 * max(sizes[:15])


def test_the_best_is_one_where_something_is_to_be_found() -> None:
    examples = Examples()
    answered(sample("found", ["the box"]), [5], examples)
    nothing = sample("nothing", ["what is not here"], np.zeros((HEIGHT, WIDTH), bool))
    rows = score_masks(nothing, examples.observe(nothing, ([np.zeros((HEIGHT, WIDTH), bool)] for _ in range(FRAMES))))
    examples.finish_video(nothing, rows)
    assert [example.score.video for example in examples.chosen()["best"]] == ["found"]


def test_the_pictures_show_the_answer_and_the_truth() -> None:
    examples = Examples()
    answered(sample("video", ["the box"]), [60], examples)
    (example,) = examples.chosen()["best"]
    assert [shot.frame for shot in example.shots] == ["00001", "00003", "00005"]
    answer, truth = (np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) for jpeg in example.shots[0].pictures())
    assert answer.shape == (225, 400, 3)  # as large as fits

    def blueness(picture: NDArray[np.int64], left: int) -> int:
        red, _, blue = picture[112, round((left + 25) * 2.5)]
        return int(blue - red)

    assert blueness(answer, 80) > 40  # where the answer is
    assert abs(blueness(answer, 20)) < 10
    assert blueness(truth, 20) < -40
    assert abs(blueness(truth, 80)) < 10


def test_a_sentence_without_an_answer_is_shown_as_such() -> None:
    examples = Examples()
    rows = answered(sample("video", ["the box"]), [-1], examples)
    assert "no answer" in Elements(page(report(rows), examples.chosen())).text


def test_what_can_not_be_shown_is_left_out() -> None:
    class Damaged(list[NDArray[np.uint8]]):
        def __getitem__(self, index: object) -> NDArray[np.uint8]:
            raise VideoError("damaged")

    examples = Examples()
    good = sample("video", ["the box", "hidden"])
    damaged = Sample("damaged", good.frame_names, Damaged(good.frames), good.expressions)
    absent = Sample("absent", good.frame_names, [], good.expressions, missing=["absent"])
    for video in (damaged, absent):
        answered(video, [0, 0], examples)
    assert examples.chosen() == {}
    hidden = Sample("hidden", good.frame_names, good.frames, [good.expressions[0], Expression("1", "hidden", Hidden())])
    answered(hidden, [0, 0], examples)
    assert [example.text for group in examples.chosen().values() for example in group] == ["the box"]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="no chromium here")
def test_the_page_works_in_a_browser(tmp_path: Path, run: tuple[Report, Examples]) -> None:
    path = tmp_path / "report.html"
    write_page(run[0], path, run[1].chosen())
    videos = "[...document.querySelectorAll('section:last-of-type tbody:last-of-type tr')]"
    column = f"{videos}.map(row => +row.cells[1].dataset.value)"
    press = "document.querySelector('section:last-of-type thead th:nth-of-type({}) button').click()"
    with opened(path, tmp_path / "profile") as shown:
        assert shown.run("[...document.images].every(picture => picture.complete && picture.naturalWidth === 400)")
        before = shown.run(column)
        assert before == sorted(before)
        shown.run(press.format(2))
        assert shown.run(column) == sorted(before, reverse=True)
        shown.run(press.format(2))
        assert shown.run(column) == sorted(before)
        shown.run(press.format(1))
        names = shown.run(f"{videos}.map(row => row.cells[0].textContent)")
        assert names[1:] == [f"video{number}" for number in range(12) if number != 3]  # 2 before 10

        light = shown.run("getComputedStyle(document.body).backgroundColor")
        shown.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        assert shown.run("getComputedStyle(document.body).backgroundColor") != light
        shown.ask("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
        assert shown.run("document.documentElement.scrollWidth") == 360  # a phone shows it without moving sideways
        assert shown.trouble == []
        assert [address for address in shown.requests if not address.startswith("data:")] == [path.as_uri()]
