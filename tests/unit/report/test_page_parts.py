"""What a reader sees in each part of a report's page, and what is a click away."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from manyheads.report import bounds
from manyheads.report.page import render
from manyheads.report.parts import WrongImage, WrongImages
from tests.report_scores import made_up_grid_scores, made_up_parallel
from tests.reports import bare_report, jpeg, made_up_report
from tests.unit.report.page_reader import Element, read_page

WHOLE = made_up_report()
GRID = replace(WHOLE, by_setting=made_up_grid_scores(), parallel=made_up_parallel())


@pytest.fixture(scope="module")
def whole() -> Element:
    return read_page(render(WHOLE))


def test_the_first_screen_has_the_answer_its_plots_and_facts_with_their_meaning(
    whole: Element,
) -> None:
    section = whole.by_id("answer")
    inner = [each.text for each in section.all("p", "dt", "dd", "h3")]
    assert inner[0].startswith("Use droprate 0.5")
    assert inner[1].startswith("Probable")
    place = inner.index("Validation accuracy")
    assert inner[place + 1 : place + 3] == ["0.846 ± 0.008", "mean of 5 seeds"]
    assert place < inner.index("Models trained") < inner.index("On the test images")
    assert "between 0.25 and 0.5" not in section.text  # which is in the comparisons, once


def test_what_to_expect_stands_with_the_scores(whole: Element) -> None:
    section = whole.by_id("scores")
    inner = [each.text for each in section.all("p", "td")]
    assert "What to expect of droprate 0.5" in section.text
    assert "0.851" in inner
    assert "0.826 [0.780, 0.870]" in inner
    assert "Bias-corrected bootstrap, no test set." in inner
    assert "0.548 [0.400, ∞]" in inner


def test_all_candidates_are_compared_with_the_selected_one_and_other_pairs_are_folded(
    whole: Element,
) -> None:
    section = whole.by_id("comparisons")
    assert "4 of 4" in [each.text for each in section.all("td")]
    folded = [each for each in section.all("details") if _is(each, "pairs-of-others")]
    assert [next(each.all("summary")).text for each in folded] == [
        "The other pairs (1)", "The other pairs at the end of training (1)",
    ]  # fmt: skip
    inside = [each.text for fold in folded for each in fold.all("p") if _is(each, "pair")]
    assert inside == ["droprate 0 − 0.25"] * 4
    pairs = [each.text for each in section.all("p") if _is(each, "pair")]
    # Best first by accuracy: −1.9, −0.2 and −0.9 points from the selected one.
    assert pairs[:3] == ["droprate 0.25 − 0.5", "droprate 0.75 − 0.5", "droprate 0 − 0.5"]
    outcomes = [each.text for each in section.all("strong")]
    assert outcomes[:3] == ["equivalent", "undecided", "worse"]


def test_a_gallery_shows_twelve_and_the_others_at_a_click(whole: Element) -> None:
    section = whole.by_id("wrong")
    (rest,) = section.all("details")
    assert len(list(section.all("img"))) - len(list(rest.all("img"))) == bounds.FIRST_WRONG
    assert next(rest.all("summary")).text == "The other 12"
    files = [each for each in section.all("span") if _is(each, "file")]
    assert all(re.fullmatch(r"\d{4}-photograph.jpg", each.text) for each in files)
    assert all(each.attributes["title"] == f"photos/{each.text}" for each in files)
    assert len([each for each in section.all("span") if _is(each, "doubtful")]) == 5
    assert "at most 2 %" in section.text


def test_images_of_several_labels_say_what_is_missed_and_what_is_wrong() -> None:
    shown = [
        WrongImage(
            name=f"{loss}.jpg", label="long;upper", predicted="short", confidence=0.5, loss=loss,
            thumbnail=jpeg(seed=1), missed=missed, wrongly=wrongly,
        )
        for loss, missed, wrongly in (
            (0.25, ("long", "upper"), ()), (1.5, (), ("short",)), (0.75, ("long",), ("short",))
        )
    ]  # fmt: skip
    wrong = WrongImages(measured_on="30 images", count=3, shown=tuple(shown), several=True)
    section = read_page(render(replace(WHOLE, wrong=wrong))).by_id("wrong")
    assert "3 of 30 images have a label that is missed, or one that is said wrongly" in section.text
    words = [" ".join(each.text.split()) for each in section.all("figcaption")]
    assert [float(re.findall(r"loss (\d\.\d{3})", each)[0]) for each in words] == [1.5, 0.75, 0.25]
    assert "wrongly short" in words[0]
    assert "missed" not in words[0]
    assert "missed long, upper" in words[2]
    assert "wrongly" not in words[2]


def test_settings_that_differ_stand_first_and_the_command_has_a_button(whole: Element) -> None:
    section = whole.by_id("repeat")
    (usual,) = section.all("details")
    assert next(usual.all("summary")).text == "10 settings at their defaults"
    assert len(list(section.all("dt"))) == 4 + 10 + 3
    (button,) = section.all("button")
    assert "hidden" in button.attributes  # until a script can serve it
    assert next(section.all("code")).text.startswith("manyheads sweep")


def test_a_grid_has_a_line_for_each_candidate() -> None:
    content = replace(GRID, parallel=made_up_parallel(30, candidates=1000))
    section = read_page(render(content)).by_id("scores")
    lines = [each for each in section.all("path") if _is(each, "way")]
    assert len(lines) == 30
    assert [_is(each, "strong") for each in lines] == [False] * 29 + [True]
    assert "Of 1,000 settings 30 are drawn" in section.text
    assert not any(_is(each, "way") for each in read_page(render(WHOLE)).all("path"))


def test_calibration_says_what_it_is_for(whole: Element) -> None:
    text = whole.by_id("calibration").text
    assert "Answer only the 80 % of images with a confidence of" in text
    assert "bins of fewer than 5 images have none" in text


def test_data_without_problems_are_said_to_be() -> None:
    assert "No data problems found." in read_page(render(bare_report(warnings=()))).text


@pytest.mark.when_changed("pages")
def test_scores_by_setting_stand_below_the_headline_and_above_all_else() -> None:
    for content, plots in ((WHOLE, 2), (GRID, 4)):
        page = read_page(render(content))
        lead, _, shown = list(page.by_id("answer").all("p", "div"))[:3]
        assert lead.attributes["class"] == "lead"
        assert shown.attributes["id"] == "by-setting"
        assert len(list(shown.all("figure"))) == plots
        assert len([each for each in shown.all() if each.attributes.get("class") == "ring"]) == (
            plots
        )
    bare = read_page(render(bare_report()))
    assert not any(each.attributes.get("id") == "by-setting" for each in bare.all())


@pytest.mark.when_changed("pages")
def test_a_heat_map_has_its_numbers_in_cells_and_in_a_table() -> None:
    page = read_page(render(GRID))
    shown = page.by_id("by-setting")
    cells = [each for each in shown.all("rect") if each.attributes["class"] == "cell"]
    inside = [each.text for each in shown.all("text") if each.attributes.get("class") == "in-cell"]
    assert len(cells) == len(inside) == 12 * 9 - 1
    captions = {next(each.all("caption")).text: each for each in page.by_id("scores").all("table")}
    (table,) = (each for name, each in captions.items() if name.startswith("Mean accuracy"))
    written = [cell.text for cell in table.all("td")]
    assert [text for text in written if text not in ("", "–")].count(inside[0]) >= 1
    assert len(written) == 12 * 9
    assert written.count("–") == 1


def _is(element: Element, name: str) -> bool:
    return name in element.attributes.get("class", "").split()
