"""The page of a model that may say several labels of a photograph, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.browser import Browser
from tests.page_browser import (
    RED,
    answered,
    button,
    drop,
    elsewhere,
    set_threshold,
    text_of,
    until,
    visit,
)
from tests.page_server import PageServer, made_up_labels, several_predictions

pytestmark = pytest.mark.when_changed("pages")

YELLOW = (200, 160, 20)  # a dress and a hat
PALE = (120, 60, 130)  # none of them


@pytest.fixture
def labels(browser: Browser, running: PageServer) -> Iterator[Browser]:
    """The page of a model of several labels, open."""
    running.reset()
    running.models = {"garments": (made_up_labels(), several_predictions)}
    visit(browser, running.url)
    yield browser
    assert browser.console() == []
    assert elsewhere(browser, running) == []


def test_every_label_is_said_with_its_probability(labels: Browser) -> None:
    assert "has a label wrong on" in set_threshold(labels, 0.3)
    drop(labels, ("one.png", RED), ("two.png", YELLOW))
    one, two = (each["label"].replace("\xa0", " ") for each in answered(labels, 2))
    assert one.startswith("dress ")
    assert "," not in one
    assert two.startswith("dress 5")
    assert ", hat 4" in two
    chance = "return document.querySelector('#grid .chance').textContent"
    assert str(labels.run(chance)).startswith("least sure ")
    filters = [each.split() for each in text_of(labels, "#filters").splitlines() if each]
    assert ["dress", "2"] in filters
    assert ["hat", "1"] in filters


def test_the_dialog_has_each_label_against_its_threshold_and_a_map_of_each(
    labels: Browser,
) -> None:
    drop(labels, ("two.png", YELLOW))
    answered(labels, 1)
    labels.run("document.querySelector('#grid button').click()")
    rows = labels.run("return [...document.querySelectorAll('.bars li')].map((e) => e.innerText)")
    words = [" ".join(str(each).split()) for each in rows]
    assert [each.split()[0] for each in words] == ["dress", "hat", "t-shirt"]
    assert "said, above 40.0 %" in words[0]
    assert "said, above 20.0 %" in words[1]
    assert "not above 70.0 %" in words[2]
    button(labels, "Where did it look?").click()
    until(labels, "return document.querySelectorAll('dialog .map').length === 2")
    assert "Where the model looked for hat" in text_of(labels, "#detail")


def test_the_page_says_what_the_model_knows_of_its_labels(labels: Browser) -> None:
    text = text_of(labels, "main")
    assert "It says which of 3 labels a photograph has and should be right on about 84.1 %" in text
    assert "of all labels in new images like the 341 validation images." in text
    assert "0.83 (0.78 to 0.87)" in text
    assert "recognised" not in text
    assert "0.69 is guessing" in text


def test_the_table_is_that_of_the_command(labels: Browser) -> None:
    drop(labels, ("two.png", YELLOW), ("none.png", PALE))
    answered(labels, 2)
    script = """
        const { table } = await import("/static/service/csv.js");
        const { Photo } = await import("/static/service/photos.js");
        const about = arguments[0], photo = new Photo(new Blob([]), "a.jpg");
        photo.take(arguments[1], about);
        arguments[2](table([photo], about.classes, 0).join(""));
    """
    row = {
        "label": "dress;hat", "labels": ["dress", "hat"], "confidence": 0.5,
        "probabilities": {"dress": 0.5, "hat": 0.625, "t-shirt": 0.25},
    }  # fmt: skip
    wrapped = f"(async () => {{ {script} }})"
    text = labels.driver.execute_async_script(
        f"const given = arguments; ({wrapped.replace('arguments', 'given')})();",
        made_up_labels(), row,
    )  # fmt: skip
    assert text == (
        "image,label,confidence,dress,hat,t-shirt,error\na.jpg,dress;hat,0.5,0.5,0.625,0.25,\n"
    )
