"""The table that the page gives, and how it gets on with a service that is busy, broken or gone."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.models.classifier import load
from manyheads.models.prediction_rows import RowForm
from manyheads.models.row_lines import csv_line
from manyheads.study.folder import RunFolder
from manyheads.web.service.about_model import about
from tests.e2e.browser import Browser
from tests.page_browser import (
    BLUE,
    GREY,
    HOSTILE,
    RED,
    answered,
    button,
    drop,
    picture,
    png,
    said,
    saved_table,
    set_threshold,
    until,
    visit,
)
from tests.page_server import CLASSES, PageServer, made_up_about, made_up_predictions, serving

pytestmark = pytest.mark.when_changed("pages")


def test_the_table_is_that_of_the_command(page: Browser, server: PageServer) -> None:
    names = ["1.png", 'a "b", c.png', "ü.png", "bad.png"]
    drop(page, *zip(names, (RED, GREY, BLUE, None), strict=True))
    answered(page, 4)
    set_threshold(page, 0.6)
    content = saved_table(page)
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert rows[0] == RowForm(classes=CLASSES, abstaining=True).columns
    assert [row[0] for row in rows[1:]] == names
    assert [row[1] for row in rows[1:]] == ["dress", "", "t-shirt", ""]
    assert [row[-2] for row in rows[1:]] == ["false", "true", "false", "false"]
    assert rows[4][-1] == "no image: it begins with hello"
    assert rows[4][2:6] == ["", "", "", ""]
    # The numbers are written as the command writes them.
    (expected,) = made_up_predictions([("1.png", png(RED))])
    form = RowForm(classes=CLASSES)
    set_threshold(page, 0.0)
    lines = saved_table(page).encode().splitlines(keepends=True)
    assert lines[0] == csv_line(form.columns)
    assert lines[1] == csv_line(form.cells(expected))
    assert server.broken == 0


def test_a_switch_calls_photographs_unknown(browser: Browser, server: PageServer) -> None:
    """It asks nothing anew: how unlike a photograph is came with its answer."""
    form = RowForm(classes=CLASSES, unlike=True)

    def predict(images: list[tuple[str, bytes]]) -> list[Any]:
        return [
            replace(each, label="unknown", unlike=0.75, unknown=True)
            if each.error is None and each.confidence < 0.5
            else replace(each, unlike=None if each.error else 0.25)
            for each in made_up_predictions(images)
        ]

    told = made_up_about() | {"unknown": {"rate": 0.3, "held_out": 39}}
    server.models = {"clothing": (told, predict)}
    visit(browser, server.url)
    drop(browser, ("1.png", RED), ("2.png", GREY), ("3.png", None))
    assert [each["label"] for each in answered(browser, 3)] == ["dress", "unsure", "unreadable"]
    assert all("unknown=0.3" in each for each in server.queries)
    asked = len(server.queries)
    switch = browser.driver.find_element("id", "tell-unknown")
    assert switch.accessible_name == "Call photographs unknown that are unlike the training images"
    switch.click()
    cells = answered(browser, 3)
    assert [each["label"] for each in cells] == ["dress", "unknown", "unreadable"]
    assert button(browser, "unknown 1").is_displayed()
    set_threshold(browser, 0.0)
    lines = saved_table(browser).encode().splitlines(keepends=True)
    given = [("1.png", png(RED)), ("2.png", png(GREY))]
    assert lines[0] == csv_line(form.columns)
    assert lines[1:3] == [csv_line(form.cells(each)) for each in predict(given)]
    assert len(server.queries) == asked
    switch.click()
    assert (
        saved_table(browser).encode().splitlines()[0]
        == csv_line(RowForm(classes=CLASSES).columns).rstrip()
    )
    assert browser.console() == []


@pytest.mark.parametrize("name", ["=1+1.png", "+1.png", "-1.png", "@x.png"])
def test_a_name_that_looks_like_a_formula_is_none_in_the_table(page: Browser, name: str) -> None:
    drop(page, (name, RED))
    answered(page, 1)
    assert f"\n./{name},dress," in saved_table(page)


@pytest.mark.parametrize(
    "value", [0.0, 1.0, 0.5, 0.1 + 0.2, 1e-4, 1.5e-5, 2.5e-17, 1 / 3, 0.00012345, 5e-324]
)
def test_numbers_are_written_as_python_writes_them(page: Browser, value: float) -> None:
    found = page.driver.execute_async_script(
        "const [value, done] = arguments;"
        "import('/static/service/csv.js').then((csv) => done(csv.number(value)))",
        value,
    )
    assert found == repr(value)


def test_a_busy_service_is_waited_for(page: Browser, server: PageServer) -> None:
    server.busy = 2
    drop(page, ("1.png", RED))
    until(page, "return document.getElementById('said').textContent.includes('busy')")
    assert said(page) == "The service is busy; trying again in 1 s."
    assert answered(page, 1)[0]["label"] == "dress"
    assert len(server.queries) == 3


def test_a_failing_service_loses_nothing_and_goes_on_when_asked(
    page: Browser, server: PageServer
) -> None:
    server.broken = 2
    drop(page, *[(f"{n}.png", RED) for n in range(12)])
    until(page, "return document.getElementById('said').textContent.includes('that it is gone')")
    server.broken = 0
    button(page, "Go on").click()
    cells = answered(page, 12)
    assert {each["label"] for each in cells} == {"dress"}


def test_a_service_that_has_ended_is_said(browser: Browser) -> None:
    server = PageServer()
    server.models["clothing"] = made_up_about(), made_up_predictions
    with serving(server):
        visit(browser, server.url)
    drop(browser, ("1.png", RED))
    until(browser, "return document.getElementById('said').textContent.includes('does not answer')")
    assert button(browser, "Go on").is_displayed()
    assert button(browser, "Clear all").is_displayed()
    browser.console()  # which has the failed requests


def test_a_request_that_is_broken_off_keeps_only_its_image_back(
    page: Browser,
) -> None:
    page.run(
        "const send = fetch; window.fetch = (address, how) =>"
        "how?.body?.getAll('image').some((file) => file.name === 'large.png')"
        "? Promise.reject(new TypeError('Failed to fetch')) : send(address, how)"
    )
    drop(page, ("1.png", RED), ("large.png", RED))
    cells = answered(page, 2)
    assert [each["label"] for each in cells] == ["dress", "not answered"]
    assert cells[1]["next"] == "the service broke off the request; is the file too large?"


def test_one_image_that_is_refused_does_not_keep_the_others_back(
    page: Browser, server: PageServer
) -> None:
    server.refused = {"large.png": 413}
    drop(page, ("1.png", RED), ("large.png", RED), ("3.png", BLUE))
    cells = answered(page, 3)
    assert [each["label"] for each in cells] == ["dress", "not answered", "t-shirt"]
    assert cells[1]["next"] == "large.png is too large"
    page.console()  # which has the refused requests


def test_sending_stops_and_goes_on(page: Browser, server: PageServer) -> None:
    server.pause = 0.3
    drop(page, *[(f"{n:02}.png", RED) for n in range(60)])
    until(page, "return document.querySelector('#grid li.sure')")
    button(page, "Stop").click()
    assert "not asked about yet" in said(page)
    asked = len(server.asked)
    page.driver.execute_async_script("setTimeout(arguments[0], 900)")
    assert len(server.asked) <= asked + 2
    server.pause = 0
    button(page, "Go on").click()
    assert {each["label"] for each in answered(page, 60)} == {"dress"}


def test_what_was_cleared_can_be_brought_back(page: Browser, server: PageServer) -> None:
    drop(page, ("1.png", RED), ("2.png", BLUE))
    answered(page, 2)
    button(page, "Clear all").click()
    assert page.run("return document.getElementById('results').hidden")
    asked = len(server.asked)
    button(page, "Bring 2 photographs back").click()
    assert [each["label"] for each in answered(page, 2)] == ["dress", "t-shirt"]
    assert len(server.asked) == asked


def test_pictures_are_let_go(page: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    page.run(
        "window.urls = new Set(); const [make, end] = [URL.createObjectURL, URL.revokeObjectURL];"
        "URL.createObjectURL = (b) => { const u = make.call(URL, b); urls.add(u); return u; };"
        "URL.revokeObjectURL = (u) => { urls.delete(u); end.call(URL, u); };"
    )
    drop(page, *[(f"{n}.png", RED) for n in range(5)])
    answered(page, 5)
    page.run("document.querySelector('#grid button').click()")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ESCAPE)
    until(page, "return urls.size === 0")


def test_several_models_are_a_choice_and_answer_the_same_photographs(
    browser: Browser, server: PageServer
) -> None:
    other = made_up_about("second", CLASSES)
    del other["risk"], other["expect"], other["recalls"], other["warnings"]
    server.models["second"] = other, made_up_predictions
    visit(browser, server.url)
    drop(browser, ("1.png", RED))
    answered(browser, 1)
    asked = len(server.asked)
    select = browser.driver.find_element("id", "which")
    assert select.accessible_name == "Model"
    browser.run(
        "const which = document.getElementById('which'); which.value = 'second';"
        "which.dispatchEvent(new Event('change'))"
    )
    answered(browser, 1)
    assert len(server.asked) == asked + 1
    text = browser.run("return document.body.innerText")
    assert "how often it is right is not known here" in text
    assert "what that costs is not known of this model" in text
    assert browser.console() == []


def test_names_are_text_and_never_elements(browser: Browser, server: PageServer) -> None:
    classes = (HOSTILE, "constructor", "__proto__")
    server.models = {"clothing": (made_up_about(classes=classes), made_up_predictions)}
    visit(browser, server.url)
    drop(browser, (HOSTILE, None))
    answered(browser, 1)
    browser.run("document.querySelector('#grid button').click()")
    assert browser.run("return document.querySelectorAll('img[src=x]').length") == 0
    assert HOSTILE in browser.run("return document.querySelector('#grid .file').textContent")
    assert HOSTILE in browser.run("return document.getElementById('classes').textContent")
    assert browser.console() == []


def test_a_real_model_answers_as_predict_does(
    browser: Browser, server: PageServer, small_run: RunFolder, tmp_path: Path
) -> None:
    classifier = load(small_run.path)
    told = about("small", small_run.path, classifier)
    form = RowForm(classes=classifier.classes)

    def predict(images: list[tuple[str, bytes]]) -> list[Any]:
        found = classifier.predict([content for _, content in images], cache=False)
        return [replace(e, image=name) for e, (name, _) in zip(found, images, strict=True)]

    server.models = {"clothing": (told | {"name": "clothing"}, predict)}
    visit(browser, server.url)
    paths = [picture(tmp_path / f"{n}.png", (40 * n, 255 - 40 * n, 90)) for n in range(5)]
    browser.driver.find_element("id", "files").send_keys("\n".join(map(str, paths)))
    answered(browser, 5)
    set_threshold(browser, 0.0)
    lines = saved_table(browser).encode().splitlines(keepends=True)
    expected = [
        csv_line(form.cells(each))
        for each in predict([(path.name, path.read_bytes()) for path in paths])
    ]
    assert lines == [csv_line(form.columns), *expected]
