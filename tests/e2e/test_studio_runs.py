"""The studio's Runs and Use in a real browser, on runs that were made up or small."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manyheads.run.progress_file import PROGRESS_FILE
from manyheads.study.folder import RunFolder
from manyheads.web.shared.guards import Limits, guarded
from manyheads.web.shared.requesters import own_names
from manyheads.web.studio import run_processes
from manyheads.web.studio.studio_app import studio_app
from manyheads.web.studio.workspace import StudioPlace
from tests.e2e.browser import Browser, chromium
from tests.e2e.test_report_browser import FAINT
from tests.studio_runs import (
    made_up_settings,
    made_up_study,
    stand_in,
    two_backbones,
    until,
    write_progress,
)
from tests.web_servers import serving_app

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
HOSTILE = "<img src=x onerror=alert(1)>"
SHELL = """
if "--dry-run" in words:
    if "7s" in words:
        print("manyheads: expected a larger budget, found 7s; give one", file=sys.stderr)
        sys.exit(1)
    print("Data       photos\\nBudget     4:00"); sys.exit(0)
print("at work", file=sys.stderr, flush=True); time.sleep(60)
"""
# Controls without a name, and those that a positive tabindex takes out of their order.
UNNAMED = """
const named = (node) => node.getAttribute("aria-label") || node.textContent.trim()
  || node.labels?.length || node.getAttribute("aria-labelledby");
return [...document.querySelectorAll("button, a[href], input, select, progress, [tabindex]")]
  .filter((node) => node.checkVisibility() && (!named(node) || node.tabIndex > 0))
  .map((node) => node.outerHTML);
"""
pytestmark = [
    pytest.mark.when_changed("pages"),
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's"),
]


class Page:
    """A page of a studio: it is opened, asked and operated."""

    def __init__(self, browser: Browser, address: str, place: Path) -> None:
        self.browser, self.address, self.place = browser, address, place

    def open(self, part: str) -> None:
        """Open a part by its address."""
        self.browser.driver.get("about:blank")
        self.browser.driver.get(f"{self.address}/#{part}")

    def ask(self, script: str) -> Any:
        """The value of an expression."""
        return self.browser.run(f"return {script}")

    def wait(self, script: str) -> Any:
        """Wait until an expression is true, and return it."""
        return until(lambda: self.ask(script), 30)

    def click(self, selector: str) -> None:
        """Click the first element of a selector, once it is there."""
        self.wait(f"document.querySelector({selector!r}) !== null")
        self.browser.run("document.querySelector(arguments[0]).click()", selector)

    def fill(self, name: str, value: str) -> None:
        """Write into a field of a form."""
        script = (
            "const field = document.getElementById('field-' + arguments[0]);"
            "field.value = arguments[1]; field.dispatchEvent(new Event('input'));"
        )
        self.browser.run(script, name, value)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements of a selector."""
        return self.ask(
            f"[...document.querySelectorAll({selector!r})].map((node) => node.textContent)"
        )

    def check(self) -> None:
        """It is readable and usable, on a screen and on a phone, in the light and in the dark."""
        for width, scheme in ((1280, "light"), (390, "dark")):
            self.browser.show(width, scheme=scheme)
            self.wait("document.getAnimations().length === 0")
            assert self.ask("document.documentElement.scrollWidth") <= width
            assert self.browser.run(FAINT) == []
            assert self.browser.run(UNNAMED) == []
        self.browser.show(1280)


@pytest.fixture(scope="module")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    (folder / "photos" / "cat").mkdir(parents=True)
    StudioPlace(folder).use(folder / "photos")
    return folder


@pytest.fixture
def page(
    shared_browser: Browser, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    monkeypatch.setattr(run_processes, "PYTHON", stand_in(tmp_path, SHELL))
    shared_browser.driver.get("about:blank")
    shared_browser.console()
    shared_browser.requests()
    shared_browser.show(1280)
    app = guarded(
        studio_app(place), names=own_names("127.0.0.1"), token=None, limits=Limits()
    )  # fmt: skip
    with serving_app(app) as address:
        made = Page(shared_browser, address, place)
        yield made
        shared_browser.driver.get("about:blank")
    assert shared_browser.console() == []
    kinds = (address, "data:", "blob:", "about:")
    assert [each for each in shared_browser.requests() if not each.startswith(kinds)] == []


@pytest.fixture
def runs(place: Path) -> Callable[[int], None]:
    """Make so many unfinished runs."""

    def make(count: int) -> None:
        for number in range(count):
            made_up_study(place / "runs" / f"run-{number}", made_up_settings(), ended=number)

    return make


def test_runs_are_sorted_and_searched(page: Page, runs: Callable[[int], None]) -> None:
    runs(3)
    shutil.copytree(GOLDEN, page.place / "finished")
    (page.place / HOSTILE).mkdir()
    (page.place / HOSTILE / "study.toml").write_text("[", encoding="utf-8")
    page.open("runs")
    page.wait("document.querySelectorAll('tbody tr').length === 5")
    page.click("th:first-child button")
    page.wait("document.querySelector('th').getAttribute('aria-sort') === 'ascending'")
    names = page.texts("tbody td:first-child")
    assert names == [HOSTILE, "finished", "run-0", "run-1", "run-2"] or names[1] == "finished"
    page.browser.run(
        "const s = document.getElementById('search'); s.value = 'done'; "
        "s.dispatchEvent(new Event('input'));"
    )
    assert page.texts("tbody td:first-child") == ["finished"]
    assert "1 of 5 runs" in page.texts("main p")
    page.check()


def test_a_run_of_a_terminal_is_watched_until_it_was_killed(
    page: Page, runs: Callable[[int], None]
) -> None:
    runs(6)
    run = page.place / "runs" / "run-5"
    steps = [{"step": "extracting", "done": 30, "total": 90, "unit": "images", "limit": ""}]
    running = [{"candidate": 4, "trials": 1, "epochs": [[1, 1, 0.4, 0.3, 0.5]]}]
    write_progress(run, steps=steps, running=running, plan=["Data       photos"])
    page.open("runs/runs%2Frun-5")
    page.wait("document.querySelector('svg.curves') !== null")
    assert page.texts("#state") == ["running"]
    assert "30 of 90 images" in page.texts(".step-words span")
    assert page.ask("document.querySelectorAll('svg.curves g').length") == 3
    (first, *_) = page.texts(".scroll tbody td:first-child")
    assert first == "droprate 0.25"
    assert any("No verdict yet: 5 of 12 trials" in each for each in page.texts("main p"))
    page.check()
    page.browser.run("document.querySelector('#stop').focus()")
    write_progress(run, steps=[{**steps[0], "done": 60}], running=running)
    page.wait("document.querySelector('.step-words').textContent.includes('60 of 90')")
    assert page.ask("document.activeElement.id") == "stop"  # it stays where it was
    (run / PROGRESS_FILE).unlink()
    page.wait("document.getElementById('state').textContent === 'stopped'")
    assert page.texts("#resume") == ["Resume"]
    assert "runs/run-5 is stopped." in page.texts("#said")
    page.check()


def test_a_form_shows_its_plan_and_begins_a_run(page: Page) -> None:
    page.open("runs/new/fit")
    page.wait("document.querySelector('form') !== null")
    assert page.ask("document.getElementById('field-out').value") == "runs/photos-fit"
    page.check()
    page.fill("budget", "7s")
    page.click("form button.main")
    page.wait("document.querySelector('section .alert') !== null")
    assert page.texts("section .alert") == ["expected a larger budget, found 7s; give one"]
    assert page.ask("document.getElementById('start')") is None
    page.fill("budget", "4m")
    assert page.ask("document.querySelector('section').hidden")  # that plan is no more
    page.click("form button.main")
    page.wait("document.getElementById('start') !== null")
    assert page.texts("section pre.plan") == ["Data       photos\nBudget     4:00"]
    assert page.texts("section code") == ["manyheads fit photos --budget 4m --out runs/photos-fit"]
    assert page.ask("document.activeElement.id") == "start"
    page.check()
    page.browser.press("\n")
    page.wait("document.getElementById('state')?.textContent === 'starting'")
    assert page.ask("decodeURIComponent(location.hash)") == "#runs/runs/photos-fit"
    page.click("#stop")
    page.wait("document.getElementById('state').textContent === 'stopped'")
    page.click("#resume")
    page.wait("document.getElementById('state').textContent === 'starting'")


def test_a_value_that_is_none_is_told_where_it_was_written(page: Page) -> None:
    page.open("runs/new/sweep")
    page.wait("document.querySelector('form') !== null")
    page.fill("out", "../elsewhere")
    page.click("form button.main")
    page.wait("document.querySelector('section [role=alert]') !== null")
    assert "a run folder of the place" in page.texts("section [role=alert]")[0]
    page.browser.console()  # Chromium notes each answer that is no success
    page.check()


def test_the_shell_is_used_by_keyboard(page: Page) -> None:
    page.open("runs")
    page.wait("document.querySelector('main h1') !== null")
    page.browser.press("\ue004", "\n")  # Tab, Enter: the link that skips to the content
    assert page.ask("document.activeElement.id") == "main"
    assert page.ask("location.hash") == "#runs"
    page.click("a[href='#use']")
    page.wait("document.querySelector('main h1')?.textContent === 'Use'")
    assert page.ask("document.activeElement.id") == "main"
    assert page.ask("document.title") == "Use – manyheads studio in place"
    page.browser.run("location.hash = '#runs/%E0%A4%A'")
    page.wait("document.querySelector('main h1')?.textContent === '%E0%A4%A'")
    page.browser.console()  # Chromium notes each answer that is no success
    for part in ("nothing", "constructor"):
        page.open(part)
        page.wait("document.querySelector('[aria-current]')?.hash === '#data'")


def test_without_data_a_form_leads_to_them(page: Page) -> None:
    shutil.rmtree(page.place / "photos")
    page.open("runs/new/fit")
    page.wait("document.querySelector('.alert a') !== null")
    assert page.ask("document.querySelector('.alert a').hash") == "#data"


def test_a_model_is_tried_and_its_test_set_needs_its_name(
    page: Page, small_run: RunFolder, tmp_path: Path
) -> None:
    shutil.copytree(small_run.path, page.place / "done")
    page.open("use")
    page.click("main li a")
    page.wait("document.getElementById('test') !== null")
    images = sorted(small_run.path.parent.joinpath("images/validation").rglob("*.png"))[:3]
    (tmp_path / "no image.png").write_bytes(b"nothing")
    names = "\n".join(map(str, [*images, tmp_path / "no image.png"]))
    page.wait("!document.getElementById('intake').hidden")
    page.browser.driver.find_element("id", "files").send_keys(names)
    page.wait("document.querySelectorAll('#grid :is(.sure, .unsure)').length === 3")
    assert page.texts("#grid .unreadable .label") == ["unreadable"]
    assert page.ask("document.title") == "done – Use – manyheads studio in place"
    # The threshold and what it costs, on images that were held out; and unknown photographs.
    assert "At 0.50 the model answers for" in page.ask("document.getElementById('cost').innerText")
    page.browser.run(
        "const least = document.getElementById('least'); least.value = 1;"
        "least.dispatchEvent(new Event('input'))"
    )
    page.wait("document.querySelectorAll('#grid .unsure').length === 3")
    assert page.ask("document.getElementById('tell-unknown') !== null")
    # Every probability, and where it looked: a map of one cell shows nowhere, and that is told.
    page.click("#grid button")
    page.wait("document.querySelectorAll('dialog .bars li').length > 1")
    page.click("dialog .looked button")
    page.wait("document.querySelector('dialog .looked .alert') !== null")
    assert "of two cells or more" in page.texts("dialog .looked .alert")[0]
    page.check()
    page.click("dialog .bar button")
    assert page.ask("document.querySelector('[type=submit]').disabled")
    field = page.browser.driver.find_element("id", "typed")
    field.send_keys("don")
    assert page.ask("document.querySelector('[type=submit]').disabled")
    field.send_keys("e")
    assert not page.ask("document.querySelector('[type=submit]').disabled")
    assert "manyheads serve done" in page.texts(".command code")
    assert page.ask("document.getElementById('about').innerText").startswith("About the model")
    page.browser.console()  # Chromium notes each answer that is no success
    page.check()
    # Its rules of style are not the other parts', and nothing hears of photographs any more.
    page.browser.run("location.hash = '#understand/done'")
    page.wait("document.querySelector('.confusion') !== null")
    assert (
        page.ask(
            "[...document.styleSheets].filter((each) => each.media.mediaText !== 'not all')"
            ".map((each) => each.href.split('/').at(-1)).sort().join()"
        )
        == "base.css,data.css,studio.css,understand.css"
    )
    page.browser.run("document.dispatchEvent(new ClipboardEvent('paste', { bubbles: true }))")
    page.check()
    page.browser.run("location.hash = '#use/done'")
    page.wait("!(document.getElementById('intake')?.hidden ?? true)")
    assert page.texts("#grid li") == []


def test_accuracy_and_cost_of_several_backbones_are_seen(
    page: Page, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del own_cache  # it is there
    two_backbones(page.place, "two", monkeypatch)
    page.open("understand/two")
    page.wait("document.querySelector('[aria-labelledby=backbones] .plot') !== null")
    assert page.texts("[aria-labelledby=backbones] .legend li") == [
        "mobilenet_v3_small at 32", "mobilenet at 32",
    ]  # fmt: skip
    assert page.ask("document.querySelectorAll('[aria-labelledby=backbones] .ring').length") == 1
    assert "GFLOP per image" in page.texts("[aria-labelledby=backbones] .plot")[0]
    assert page.texts("[aria-labelledby=backbones] tbody tr td:first-child")
    assert "Validation accuracy by cost" not in page.texts("[aria-labelledby=calibration]")[0]
    page.check()
