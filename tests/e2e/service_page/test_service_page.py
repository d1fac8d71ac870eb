"""From photographs to answers on the page of `manyheads serve`, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.browser import Browser
from tests.page_browser import (
    BLUE,
    CELLS,
    GREEN,
    GREY,
    PASTE,
    RED,
    answered,
    button,
    drop,
    picture,
    said,
    set_threshold,
    text_of,
    until,
)
from tests.page_server import CLASSES, PageServer

pytestmark = pytest.mark.when_changed("pages")


def test_the_page_says_what_the_model_is_and_what_to_expect(page: Browser) -> None:
    text = text_of(page, "main")
    assert page.driver.title == "clothing – manyheads"
    assert (
        "It tells 3 classes apart and should be right on about 84.1 % (95 % interval 80.3 to "
        "87.2 %) of new images like the 341 validation images." in text
    )
    assert "dress, hat, t-shirt." in text
    for words in (
        "xception", "weights under MIT", "150 × 150 pixels", "3,409 images", "not measured",
        "Hardly anything is known of hat", "2026-11-30",
    ):  # fmt: skip
        assert words in text
    assert "/models/clothing/predict" in text


def test_dropped_photographs_are_answered_in_their_order(page: Browser, server: PageServer) -> None:
    files = [(f"{n}.png", (RED, GREEN, BLUE)[n % 3]) for n in range(20)]
    assert drop(page, *files) == [True, False]
    cells = answered(page, 20)
    assert [each["file"] for each in cells] == [name for name, _ in files]
    assert [each["label"] for each in cells] == [CLASSES[n % 3] for n in range(20)]
    assert max(map(len, server.asked)) == 8
    assert server.queries == ["top=3"] * 3
    until(
        page, "return document.getElementById('said').textContent.startsWith('20 photographs: 20')"
    )
    drawn = "return [...document.querySelectorAll('canvas')].filter((c) => c.width === 240).length"
    until(page, f"{drawn} >= 10")  # those near the view


def test_files_are_chosen_by_an_input(page: Browser, tmp_path: Path, server: PageServer) -> None:
    paths = [picture(tmp_path / f"{n}.png", RED) for n in range(3)]
    page.driver.find_element("id", "files").send_keys("\n".join(map(str, paths)))
    assert [each["label"] for each in answered(page, 3)] == ["dress"] * 3
    assert len(server.contents) == 1  # whole, as they are


def test_a_folder_is_read_to_its_end_without_what_is_no_image(
    page: Browser, tmp_path: Path
) -> None:
    picture(tmp_path / "photos" / "b.png", RED)
    picture(tmp_path / "photos" / "a" / "2.png", GREEN)
    picture(tmp_path / "photos" / "a" / "1.png", BLUE)
    (tmp_path / "photos" / "notes.txt").write_text("hello")
    (tmp_path / "photos" / ".hidden.png").write_bytes(b"hello")
    page.driver.find_element("id", "folder").send_keys(str(tmp_path / "photos"))
    cells = answered(page, 3)
    assert [each["file"] for each in cells] == ["photos/a/1.png", "photos/a/2.png", "photos/b.png"]
    page.run("document.querySelector('#actions button:last-child').click()")
    what = {"items": [], "files": [str(tmp_path / "photos")], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", "drop"):
        page.tell("Input.dispatchDragEvent", type=step, x=640, y=330, data=what)
    again = answered(page, 3)
    assert [each["file"] for each in again] == [each["file"] for each in cells]


def test_a_pasted_picture_is_answered(page: Browser) -> None:
    page.driver.execute_async_script(PASTE, [["image.png", GREEN]])
    assert [(e["label"], e["file"]) for e in answered(page, 1)] == [("hat", "pasted-1.png")]


def test_the_camera_gives_a_still_and_is_let_go(page: Browser) -> None:
    page.run(
        "const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });"
        "const context = canvas.getContext('2d');"
        "const paint = () => { context.fillStyle = 'rgb(30,30,220)';"
        "context.fillRect(0, 0, 64, 48); }; paint(); setInterval(paint, 30);"
        "window.stream = canvas.captureStream(30);"
        "navigator.mediaDevices.getUserMedia = async (how) => { window.how = how; return stream; };"
    )
    assert page.run("return window.how === undefined")  # nobody asked before the button
    button(page, "Use the camera").click()
    until(page, "return document.querySelector('video')?.videoWidth > 0")
    assert page.run("return window.how.audio === false && !!window.how.video")
    assert page.run("return document.activeElement.textContent") == "Take the photograph"
    button(page, "Take the photograph").click()
    assert answered(page, 1)[0]["label"] == "t-shirt"
    button(page, "Close the camera").click()
    assert page.run("return stream.getTracks().every((track) => track.readyState === 'ended')")
    assert page.run("return document.activeElement.id") == "open-camera"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "Allow it for this page"), ("NotFoundError", "No camera was found"),
        ("NotReadableError", "in use by another program"), ("OddError", "did not start"),
    ],
)  # fmt: skip
def test_a_camera_that_is_refused_or_absent_is_said(page: Browser, name: str, words: str) -> None:
    page.run(
        "navigator.mediaDevices.getUserMedia = async () => {"
        "throw Object.assign(new Error('no'), { name: arguments[0] }) }".replace(
            "arguments[0]", json.dumps(name)
        )
    )
    button(page, "Use the camera").click()
    until(page, "return document.querySelector('#camera [role=alert]:not(.quiet)')")
    assert words in page.run("return document.getElementById('camera').innerText")
    button(page, "Close").click()
    assert page.run("return document.getElementById('camera').hidden")


def test_the_threshold_says_its_cost_and_asks_nothing(page: Browser, server: PageServer) -> None:
    drop(page, ("sure.png", RED), ("not.png", GREY))
    assert [each["label"] for each in answered(page, 2)] == ["dress", "unsure"]
    asked = len(server.queries)
    assert set_threshold(page, 0.6) == (
        "At 0.60 the model answers for 64 % of the validation images and is wrong on 4.0 % of "
        "those."
    )
    assert set_threshold(page, 0.0) == (
        "At 0.00 the model answers for all of the validation images and is wrong on 16.0 % of "
        "those."
    )
    assert [each["label"] for each in page.run(CELLS)] == ["dress", "dress"]
    assert "is wrong on none of those" not in set_threshold(page, 0.9)
    assert (
        set_threshold(page, 1.0) == "At 1.00 the model answers for none of the validation images."
    )
    assert [each["label"] for each in page.run(CELLS)] == ["unsure", "unsure"]
    assert len(server.queries) == asked
    slider = page.driver.find_element("id", "least")
    assert slider.accessible_name == "Answer only from a confidence of"
    assert slider.get_attribute("aria-valuetext").startswith("At 1.00 the model")


def test_the_slider_is_moved_by_keys_and_its_mark_moves_along(page: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    drop(page, ("sure.png", RED))
    answered(page, 1)
    at = "return Number(document.querySelector('.risk .dot').getAttribute('cx'))"
    before = page.run(at)
    page.run("document.getElementById('least').focus()")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.run("return document.querySelector('output').textContent") == "0.52"
    assert page.run(at) < before
    name = page.driver.find_element("css selector", ".risk").accessible_name
    assert name.startswith("Wrong answers by the share")
    assert "At 0.52" in name


def test_classes_unsure_and_unreadable_are_counted_and_filtered(page: Browser) -> None:
    drop(page, ("1.png", RED), ("2.png", RED), ("3.png", BLUE), ("4.png", GREY), ("5.png", None))
    cells = answered(page, 5)
    assert cells[4]["kind"] == "unreadable"
    assert cells[4]["next"] == "no image: it begins with hello"
    shown = [
        each.text
        for each in page.driver.find_elements("css selector", "#filters button")
        if each.is_displayed()
    ]
    assert shown == ["All 5", "unsure 1", "without an answer 1", "dress 2", "t-shirt 1"]
    for words, files in (
        ("dress 2", ["1.png", "2.png"]), ("unsure 1", ["4.png"]),
        ("without an answer 1", ["5.png"]), ("All 5", [f"{n}.png" for n in range(1, 6)]),
    ):  # fmt: skip
        button(page, words).click()
        until(page, "return !document.getElementById('grid').hasAttribute('aria-busy')")
        assert [each["file"] for each in page.run(CELLS)] == files
        assert button(page, words).get_attribute("aria-pressed") == "true"
    assert said(page) == "5 photographs: 4 answered, 1 without an answer."


def test_a_dialog_shows_an_answer_and_goes_on_by_keys(page: Browser, server: PageServer) -> None:
    from selenium.webdriver.common.keys import Keys

    drop(page, ("1.png", RED), ("2.png", GREEN), ("3.png", None))
    answered(page, 3)
    page.run("document.querySelector('#grid button').focus()")
    page.press(Keys.ENTER)
    assert page.run("return document.getElementById('detail').open")
    title = "return document.getElementById('detail-title').textContent"
    bars = (
        "return [...document.querySelectorAll('.bars li')].map((e) => e.innerText.split('\\n')[0])"
    )
    assert page.run(title) == "1.png"
    assert page.run(bars)[0] == "dress"
    assert len(page.run(bars)) == 3
    assert page.run("return document.querySelector('.fill').getBoundingClientRect().width") > 20
    until(page, "return document.querySelector('#detail img').naturalWidth === 48")
    button(page, "Where did it look?").click()
    until(page, "return document.querySelector('#detail .map img')?.naturalWidth === 64")
    assert server.queries[-1] == "top=3&explain=1"
    page.press(Keys.ARROW_RIGHT)
    assert page.run(title) == "2.png"
    assert page.run(bars)[0] == "hat"
    page.press(Keys.ARROW_RIGHT)
    assert "no image" in page.run("return document.getElementById('detail').innerText")
    assert button(page, "Next →").get_attribute("disabled")
    page.press(Keys.ARROW_RIGHT)
    assert page.run(title) == "3.png"
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.run("return !!document.querySelector('#detail .map img')")  # asked for once
    page.press(Keys.ARROW_RIGHT, Keys.ESCAPE)
    assert not page.run("return document.getElementById('detail').open")
    until(page, "return document.getElementById('detail').children.length === 0")
    assert page.run("return document.activeElement.querySelector('.file').textContent") == "2.png"


def test_arrow_keys_move_in_the_grid_which_is_one_stop_for_tab(page: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    drop(page, *[(f"{n}.png", RED) for n in range(12)])
    answered(page, 12)
    assert page.run("return document.querySelectorAll('#grid [tabindex=\"0\"]').length") == 1
    at = "return document.activeElement.querySelector('.file').textContent"
    page.run("document.querySelector('#grid [tabindex=\"0\"]').focus()")
    columns = page.run(
        "return getComputedStyle(document.getElementById('grid'))"
        ".gridTemplateColumns.split(' ').length"
    )
    for key, expected in (
        (Keys.ARROW_RIGHT, 1), (Keys.ARROW_DOWN, 1 + columns), (Keys.ARROW_UP, 1),
        (Keys.END, 11), (Keys.ARROW_RIGHT, 11), (Keys.HOME, 0), (Keys.ARROW_LEFT, 0),
    ):  # fmt: skip
        page.press(key)
        assert page.run(at) == f"{expected}.png"
    page.press(Keys.TAB)
    assert not page.run("return document.getElementById('grid').contains(document.activeElement)")
