"""The studio's Data and Understand in Chromium: wrong labels are found, put right and judged."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.core.job import Job
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.features.extraction import Features
from manyheads.findings.labels import SuspiciousLabel, SuspiciousLabels
from manyheads.run import data_check
from manyheads.web.shared.guards import Limits, guarded
from manyheads.web.shared.requesters import own_names
from manyheads.web.studio.studio_app import studio_app
from tests.e2e.browser import chromium
from tests.e2e.studio_page import StudioPage
from tests.unit.web.studio_kit import CLASSES, coloured_photos, small_photos, small_run
from tests.web_servers import serving_app

pytestmark = pytest.mark.when_changed("pages")

FIRST, SECOND = "runs/first", "runs/second"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A place with wrong labels and a run on them."""
    folder = tmp_path_factory.mktemp("studio") / "place"
    folder.mkdir()
    right = coloured_photos(folder)
    small_run(folder, "photos.csv", FIRST, seeds=2)
    _wardrobe(folder)
    return folder, right


def _wardrobe(folder: Path) -> None:
    """A folder with a file twice, in two splits, and one that is no image."""
    wardrobe = small_photos(folder, name="wardrobe")
    hostile = "<img src=x onerror=alert(1)> & \u202e.png"
    shutil.copy(wardrobe / "train" / "cat" / "0.png", wardrobe / "validation" / "dog" / hostile)
    (wardrobe / "train" / "owl" / "broken.png").write_bytes(b"no image at all")


@pytest.fixture(scope="module")
def doubts(place: tuple[Path, dict[str, str]]) -> Iterator[None]:
    """A check that doubts half of the wrong labels: random weights do not know labels.

    What it finds on photographs is tested with the check.
    """
    right = place[1]

    def find(dataset: Dataset, _: Features, *, job: Job) -> SuspiciousLabels:
        del job
        found = [n for n in range(len(dataset)) if dataset.name_of(n) in [*right][::2]]
        return SuspiciousLabels(len(dataset), tuple(doubt(dataset, n) for n in found), ())

    def doubt(dataset: Dataset, image: int) -> SuspiciousLabel:
        name = dataset.name_of(image)
        label = dataset.classes[dataset.labels[image]]
        return SuspiciousLabel(name, dataset.splits[image], label, right[name], 0.004, 0.97)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_check, "find_suspicious", find)
        yield


@pytest.fixture(scope="module")
def page(
    place: tuple[Path, dict[str, str]],
    doubts: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StudioPage]:
    del doubts
    app = guarded(studio_app(place[0]), names=own_names("127.0.0.1"), token=None, limits=Limits())
    with serving_app(app) as address, chromium(tmp_path_factory.mktemp("profile")) as browser:
        browser.show(1280)
        browser.driver.get("about:blank")
        browser.requests()
        yield StudioPage(browser, address)
        assert browser.console() == []
        asked = [each for each in browser.requests() if not each.startswith(("data:", "about:"))]
        assert all(each.startswith(address) for each in asked), asked


def test_wrong_labels_are_found_put_right_and_judged(
    page: StudioPage, place: tuple[Path, dict[str, str]]
) -> None:
    folder, right = place
    before = (folder / "photos.csv").read_bytes()
    _open(page)
    _check(page)
    found = [each.split(",")[0] for each in page.options("check-title")]
    flagged = [name for name in found if name in right]
    assert len(flagged) >= len(right) // 2
    page.is_in_order("check")
    _take_suggestions(page)
    _undo_and_redo(page)
    _mend_by_keys(page, [name for name in right if name not in flagged], right)
    page.press("Write the table")
    page.said("Written: photos-decided.csv")
    page.is_in_order("decided")
    assert (folder / "photos.csv").read_bytes() == before
    mended = open_dataset(folder / "photos-decided.csv")
    names = {mended.name_of(n): mended.classes[mended.labels[n]] for n in range(len(mended))}
    assert {name: names[name] for name in right} == right
    small_run(folder, "photos-decided.csv", SECOND, models=False, seeds=2)
    _understand(page)
    _judge(page)


def test_identical_and_unreadable_files_are_decided_about(
    page: StudioPage, place: tuple[Path, dict[str, str]]
) -> None:
    page.go("data")
    page.wait("document.querySelector('summary, .choices')")
    page.run("const other = document.querySelector('summary'); if (other) other.click();")
    page.press("Open wardrobe")
    page.wait(
        "document.querySelectorAll('[aria-labelledby=images-title] [role=option]').length === 26"
    )
    page.run("document.querySelectorAll('form [type=checkbox]').forEach((each) => each.click())")
    page.press("Check")
    page.press("Identical files")
    page.wait("document.querySelectorAll('.sides img').length === 2")
    page.is_in_order("pairs")
    text = page.run("return document.querySelector('.findings').innerText")
    assert "across splits, with different labels" in text
    page.press("Keep both")
    page.wait("document.body.textContent.includes('All of them are decided.')")
    page.press("Unreadable files")
    page.wait("document.querySelector('[aria-labelledby=check-title] [role=option]')")
    page.run("document.querySelector('[aria-labelledby=check-title] [role=option]').focus()")
    page.browser.press("x")
    page.said("train/owl/broken.png: left out")
    page.press("Write the table")
    page.said("Written: wardrobe-decided.csv")
    assert len(open_dataset(place[0] / "wardrobe-decided.csv")) == 25


def _open(page: StudioPage) -> None:
    page.go("data")
    page.press("Open photos.csv")
    page.wait("document.querySelectorAll('[role=option]').length === 60")
    assert page.run("return document.querySelectorAll('.classes tbody tr').length") == len(CLASSES)


def _check(page: StudioPage) -> None:
    # Random weights are no choice of the page: they are good for tests alone.
    page.run(
        "const body = { labels: true, similar: true, backbone: 'mobilenet', image_size: 64, "
        "weights: 'random:0' };"
        "fetch('/api/data/check', { method: 'POST', body: JSON.stringify(body), "
        "headers: { 'Content-Type': 'application/json' } })"
    )
    time.sleep(0.5)
    page.go("data")
    page.wait("document.querySelector('.kinds')")
    page.press("Suspicious labels")
    page.wait("document.querySelector('section[aria-labelledby=check-title] [role=option]')")


def _take_suggestions(page: StudioPage) -> None:
    """With the keyboard alone: the focus is on the first, all are gone at the end."""
    page.run("document.querySelector('[aria-labelledby=check-title] [role=option]').focus()")
    count = len(page.options("check-title"))
    for left in range(count - 1, -1, -1):
        page.browser.press("s")
        page.wait(
            "document.querySelectorAll('[aria-labelledby=check-title] [role=option]').length "
            f"=== {left}"
        )
    page.wait("document.body.textContent.includes('All of them are decided.')")


def _undo_and_redo(page: StudioPage) -> None:
    steps = "document.querySelectorAll('.log li').length"
    count = page.run(f"return {steps}")
    page.press("Undo")
    page.wait(f"{steps} === {count - 1}")
    page.press("Redo")
    page.wait(f"{steps} === {count}")
    page.said("Done again")
    _both_at_once(page)
    assert page.run(f"return {steps}") == count


def _both_at_once(page: StudioPage) -> None:
    """A redo waits for an undo that is slow on its way."""
    page.run(
        "const sent = window.fetch; window.fetch = async (address, ...rest) => {"
        "if (`${address}`.includes('/undo')) await new Promise((go) => setTimeout(go, 300));"
        "return sent(address, ...rest); };"
        "document.getElementById('said').textContent = '';"
    )
    page.run("document.querySelector('[aria-labelledby=images-title] [role=option]').focus()")
    page.browser.press("ur")
    page.said("Done again")


def _mend_by_keys(page: StudioPage, names: list[str], right: dict[str, str]) -> None:
    """What the check did not find is put right in the grid, by the keys of the classes."""
    for name in names:
        selector = f'[aria-labelledby=images-title] [role=option][aria-label^="{name},"]'
        page.run(
            "document.querySelector('select[aria-label=Split]').value = arguments[0];"
            "document.querySelector('select[aria-label=Split]').dispatchEvent(new Event('change'))",
            name.split("/")[1],
        )
        page.wait(f"document.querySelector({selector!r})")
        page.run("document.querySelector(arguments[0]).focus()", selector)
        page.browser.press(str(1 + CLASSES.index(right[name])))
        page.said(name)


def _understand(page: StudioPage) -> None:
    page.go(f"understand/{FIRST.replace('/', '%2F')}")
    page.wait("document.querySelector('.confusion')")
    page.wait("document.querySelectorAll('[role=option] img').length")
    page.is_in_order("understand")
    cell = page.run(
        "const cell = [...document.querySelectorAll('.confusion td:not(.right) button')]"
        ".sort((a, b) => b.textContent - a.textContent)[0]; cell.click();"
        "return [cell.getAttribute('aria-label'), cell.textContent]"
    )
    page.wait(f"document.getElementById('shown').textContent.endsWith(': {cell[1]}')")
    assert len(page.options("mistakes")) == int(cell[1])
    page.run("document.querySelector('[aria-labelledby=mistakes] [role=option]').focus()")
    page.browser.press("\ue007")  # Enter
    page.wait("document.querySelectorAll('dialog .sides img').length === 2")
    page.shot("looks")
    page.browser.press("\ue00c")  # Escape
    page.wait("!document.querySelector('dialog')")
    assert page.run("return document.activeElement.getAttribute('role')") == "option"
    first = page.options("mistakes")[0]
    page.browser.press("x")
    page.said("left out")
    page.wait("document.querySelector('[role=option]').textContent.includes('left out')")
    assert page.options("mistakes")[0].startswith(first.split(":")[0])
    page.browser.press("g")
    page.said("as given again")


def _judge(page: StudioPage) -> None:
    page.go(f"understand/{SECOND.replace('/', '%2F')}")
    page.wait("document.querySelector('.confusion')")
    page.wait("document.querySelector('select[aria-label=\"Later run\"]').value")
    assert page.run(
        "return ['Earlier run', 'Later run'].map((each) => "
        'document.querySelector(`select[aria-label="${each}"]`).value)'
    ) == [FIRST, SECOND]
    page.press("Compare")
    page.wait("document.body.textContent.includes('that both runs held out and whose labels')")
    page.wait("document.body.textContent.includes('Not in this verdict: ')")
    page.is_in_order("compared")
