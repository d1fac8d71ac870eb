"""The page of a report: whole, escaped, bounded, and in order."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyheads.errors import DiskError
from manyheads.findings.held_out_scores import ClassRecall
from manyheads.report import bounds
from manyheads.report.content import Missing
from manyheads.report.figure_files import write_figures
from manyheads.report.page import render, write_report
from manyheads.report.parts import Classes, Compared, LogEntry, TestRecord
from manyheads.report.templating import printable
from manyheads.stats.comparisons import Comparisons, Margins
from tests.report_scores import made_up_grid_scores, made_up_parallel
from tests.reports import bare_report, comparison, made_up_report
from tests.unit.report.page_reader import Element, read_page

HOSTILE = (
    "</title></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}"
)
SECTIONS = ["answer", "scores", "curves", "comparisons", "mistakes", "calibration"]
PAGES = {
    "whole": made_up_report(),
    "bare": bare_report(),
    "hostile": made_up_report(prefix=HOSTILE + "\u202e\ud800\0", evaluations=2),
    "one": made_up_report(candidates=1, trials=1, epochs=1, classes=2, wrong=0),
    "grid": replace(
        made_up_report(), by_setting=made_up_grid_scores(), parallel=made_up_parallel()
    ),
    "large": made_up_report(candidates=1000, trials=10, epochs=150, classes=120, wrong=90),
}


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> Element:
    return read_page(render(PAGES[request.param]))


@pytest.fixture(scope="module")
def whole() -> Element:
    return read_page(render(PAGES["whole"]))


@pytest.fixture(scope="module")
def large() -> Element:
    return read_page(render(PAGES["large"]))


@pytest.mark.when_changed("pages")
def test_sections_stand_in_order(page: Element) -> None:
    ids = [section.attributes["id"] for section in page.all("section")]
    assert [name for name in ids if not name.startswith("more-")] == [*SECTIONS, "data", "repeat"]
    links = [link.attributes["href"] for nav in page.all("nav") for link in nav.all("a")]
    assert links == [f"#{name}" for name in ids]


def test_ids_are_unique_and_what_refers_to_one_finds_it(page: Element) -> None:
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(set(ids)) == len(ids)
    names = ("aria-labelledby", "aria-describedby", "for", "data-table")
    wanted = {
        one
        for each in page.all()
        for name in names
        for one in each.attributes.get(name, "").split()
    }
    wanted |= {
        each.attributes["href"][1:]
        for each in page.all("a")
        if each.attributes["href"].startswith("#")
    }
    assert wanted <= set(ids)
    assert "main" in wanted


def test_headings_go_down_one_step_at_a_time(page: Element) -> None:
    levels = [int(each.tag[1]) for each in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(each.text for each in page.all("h1", "h2", "h3"))


def test_landmarks_language_and_names(page: Element) -> None:
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    assert [len(list(page.all(tag))) for tag in ("header", "nav", "main", "footer")] == [1] * 4
    assert next(page.all("a")).attributes["href"] == "#main"
    assert all(image.attributes["alt"] for image in page.all("img"))
    for plot in page.all("svg"):
        hidden = plot.attributes.get("aria-hidden") == "true"
        inner = "x" in plot.attributes
        assert hidden or inner or plot.attributes["role"] == "img"
        if plot.attributes.get("role") == "img":
            (title,) = plot.all("title")
            (description,) = plot.all("desc")
            assert title.text
            assert description.text
    assert all(table.children and next(table.all("caption")).text for table in page.all("table"))


def test_nothing_is_fetched_and_nothing_may_be(page: Element) -> None:
    metas = [meta.attributes for meta in page.all("meta")]
    (policy,) = [m["content"] for m in metas if "http-equiv" in m]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    for each in page.all():
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            assert re.match(r"data:|#|$", each.attributes.get(name, ""))
        assert not any(name.startswith("on") for name in each.attributes)
    style = next(page.all("style")).text
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_names_are_text() -> None:
    text = render(PAGES["hostile"])
    page = read_page(text)
    assert len(list(page.all("script"))) == 1
    assert "alert(1)" not in next(page.all("script")).text
    assert next(page.all("h1")).text.startswith(HOSTILE.replace("  ", " "))
    assert "49" not in next(page.all("h1")).text
    assert not any(mark in text for mark in ("\u202e", "\ud800", "\0"))
    shown = page.by_id("wrong").text
    assert HOSTILE in shown
    assert HOSTILE in page.by_id("confusion-table").text


def test_a_missing_part_says_why_and_what_gives_it() -> None:
    page = read_page(render(PAGES["bare"]))
    boxes = [each for each in page.all("div") if each.attributes.get("class") == "missing"]
    assert len(boxes) == 8
    for box in boxes:
        assert next(box.all("p")).text.endswith(".")
        for code in box.all("code"):
            assert re.fullmatch(r"manyheads \w+ runs/clothing", code.text)
    assert [code.text.split()[1] for box in boxes for code in box.all("code")] == ["test"]
    own = bare_report(missing={"test": Missing("There is no test split.", "manyheads check x")})
    test = read_page(render(own)).by_id("answer").text
    assert "There is no test split." in test
    assert "manyheads check x" in test


def test_an_interval_that_is_endless_is_drawn_and_said() -> None:
    endless = comparison("accuracy", 0.004, float("inf"), adjusted_low=-0.03)
    family = Comparisons((endless,), Margins())
    compared = Compared(family=family, names={1: "a", 2: "b"})
    page = read_page(render(bare_report(comparisons=compared)))
    section = page.by_id("comparisons")
    assert "−0.4 [−∞, 3.0] points" in section.text  # minus the selected one, which is first
    cuts = [each for each in section.all("path") if each.attributes["class"] == "cut"]
    assert len(cuts) == 1


@pytest.mark.parametrize(
    ("models", "warned"), [(["a"], False), (["a", "a"], False), (["a", "b", "a"], True)]
)
def test_a_second_model_on_the_test_images_is_a_warning(models: list[str], warned: bool) -> None:
    record = TestRecord(
        measured_on="the 9 test images",
        evaluations=tuple(LogEntry("today", model) for model in models),
    )
    said = read_page(render(bare_report(test=record))).by_id("answer").text
    assert ("2 models were evaluated on the test images" in said) is warned


def test_every_figure_has_its_numbers_in_a_table(whole: Element) -> None:
    for plot in whole.all("svg"):
        if "data-table" in plot.attributes:
            rows = list(whole.by_id(plot.attributes["data-table"]).all("tr"))
            assert len(rows) == 1 + 30
            assert next(rows[0].all("th")).text == "epoch"
            assert len(list(rows[1].all("td"))) == 4
    text = whole.by_id("comparisons").text
    assert "needs seeds" in text
    assert "−1.9 [−2.6, −1.2] points" in text


def test_what_was_expected_stands_beside_what_the_test_found(whole: Element) -> None:
    (table,) = [
        each for each in whole.by_id("answer").all("table")
        if next(each.all("caption")).text == "Scores on the test images"
    ]  # fmt: skip
    rows = [[cell.text for cell in row.all("th", "td")] for row in table.all("tr")]
    assert rows[0][-1] == "expected without these images [95 %]"
    assert rows[1][1:] == [
        "0.820 [0.777, 0.856]", "0.831 [0.790, 0.866]", "0.826 [0.780, 0.870]",
    ]  # fmt: skip
    assert rows[2][-1] == "–"


def test_the_end_of_training_is_compared_in_its_own_words(whole: Element) -> None:
    section = whole.by_id("comparisons")
    headings = [each.text for each in section.all("h3", "h4")]
    place = headings.index("At the end of training")
    assert headings[place + 1 : place + 3] == [
        "Final log loss margin ±0.02", "Gap to the training loss margin ±0.02",
    ]  # fmt: skip
    assert "−0.019 [−0.026, −0.012]" in section.text
    # Log loss and both of the end, and the same of the other pairs.
    assert section.text.count("← first better") == 6
    bare = read_page(render(PAGES["bare"])).by_id("comparisons").text
    assert "At the end of training" not in bare


def test_what_would_settle_it_is_a_list_under_the_comparisons(whole: Element) -> None:
    hint = "Accuracy: separating 0.5 from 0.25 would take 20 seeds (80 % power)."
    items = [each.text for each in whole.by_id("comparisons").all("li")]
    assert hint in items
    assert hint not in whole.by_id("answer").text


def test_the_most_confident_mistakes_come_first(whole: Element) -> None:
    shown = [each.text for each in whole.by_id("wrong").all("figcaption")]
    confidences = [float(re.findall(r"\d\.\d{3}", text)[0]) for text in shown]
    assert len(confidences) == 24
    assert confidences == sorted(confidences, reverse=True)


def test_chosen_epochs_are_marked_and_said_to_be(whole: Element) -> None:
    marks = [each for each in whole.by_id("curve-panels").all("path") if _is(each, "hollow")]
    assert len(marks) == 4 * len(PAGES["whole"].candidates)
    assert "chosen epoch (mean)" in whole.by_id("legend").text
    assert "chosen epoch" not in read_page(render(PAGES["bare"])).text


def _is(element: Element, name: str) -> bool:
    return name in element.attributes.get("class", "").split()


@pytest.mark.when_changed("pages")
def test_what_there_is_too_much_of_is_bounded_and_said_so(large: Element) -> None:
    assert all(len(list(table.all("tr"))) <= 1 + bounds.ROWS for table in large.all("table"))
    assert len(list(large.by_id("legend").all("label"))) == bounds.DRAWN
    assert "Drawn are 20 of 1,000 candidates" in large.by_id("curves").text
    assert "Of 150 epochs 100 are drawn" in large.by_id("curves").text
    assert "the 20 most confused are shown" in large.by_id("classes").text
    assert "the 40 worst recognised are drawn" in large.by_id("classes").text
    assert len(list(large.by_id("confusion-table").all("tr"))) == 1 + bounds.CONFUSED
    assert len(list(large.by_id("wrong").all("img"))) == bounds.WRONG
    assert "the 48 most confident are shown" in large.by_id("wrong").text
    said = large.by_id("comparisons").text
    assert said.count("20 of 999 comparisons are drawn") == 4  # two metrics, and two at the end
    selected = [each for each in large.by_id("legend").all("label") if "selected" in each.text]
    assert [each.text for each in selected] == ["droprate 0.5 selected"]


def test_what_no_page_can_show_is_replaced() -> None:
    assert printable("a\0b\ud800c\u202egpj.exe\u200dé猫🦊\n") == "a�b�c�gpj.exe\u200dé猫🦊\n"
    printable("a\ud800").encode()


@pytest.mark.when_changed("pages")
def test_a_report_of_10000_classes_takes_no_memory_for_every_pair(tmp_path: Path) -> None:
    """A table of all of them has 800 MB."""
    random, count = np.random.default_rng(0), 10_000
    labels, answers = random.integers(0, count, (2, 500))
    pairs = csr_array((np.ones(500, np.int64), (labels, answers)), shape=(count, count))
    recalls = [
        ClassRecall(name=f"kind {n}", images=0, share=0.0, recall=None) for n in range(count)
    ]
    classes = Classes(measured_on="500 images", recalls=tuple(recalls), confusion=pairs)
    content = bare_report(classes=classes)
    tracemalloc.start()
    try:
        page = read_page(render(content))
        write_figures(tmp_path / "figures", content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 250e6  # matplotlib by itself takes 120
    assert "Of 10,000 classes, the 20 most confused are shown" in page.by_id("classes").text


@pytest.mark.parametrize(("name", "megabytes"), [("whole", 0.5), ("large", 2.5)])
def test_a_report_is_small(tmp_path: Path, name: str, megabytes: float) -> None:
    path = tmp_path / "report.html"
    write_report(path, PAGES[name])
    assert path.stat().st_size < megabytes * 1e6
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError):
        write_report(tmp_path / "file" / "report.html", PAGES["bare"])


def test_the_same_content_is_the_same_file() -> None:
    assert render(PAGES["whole"]) == render(made_up_report())
