"""The report in a real browser: quiet, self-contained, readable, and usable by keyboard."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.report.page import write_report
from tests.e2e.browser import Browser, chromium
from tests.report_scores import made_up_grid_scores, made_up_parallel
from tests.reports import bare_report, made_up_report

pytestmark = pytest.mark.when_changed("pages")

HOSTILE = "<script>alert(1)</script>'\"&\u202e " + "a_name_without_a_break" * 4
REPORTS = {
    "whole": made_up_report(),
    "bare": bare_report(),
    "hostile": made_up_report(prefix=HOSTILE, evaluations=2),
    "grid": replace(
        made_up_report(), by_setting=made_up_grid_scores(), parallel=made_up_parallel()
    ),
    "large": made_up_report(candidates=1000, trials=10, epochs=150, classes=120, wrong=90),
}
EVERY = pytest.mark.parametrize("name", REPORTS)

# Each text that is seen whose contrast with what is behind it is below 4.5, or 3 if it is large.
FAINT = """
const channels = (colour) => {
  const given = colour.match(/[\\d.e-]+/g).map(Number);
  const unit = colour.startsWith("color(") ? 255 : 1;
  return [...given.slice(0, 3).map((n) => n * unit), given.length > 3 ? given[3] : 1];
};
const over = ([r, g, b, a], below) => [r, g, b].map((n, i) => n * a + below[i] * (1 - a));
const behind = (node) => {
  const layers = [];
  for (let each = node; each; each = each.parentElement) {
    layers.push(channels(getComputedStyle(each).backgroundColor));
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const light = (rgb) => rgb.map((n) => n / 255)
  .map((n) => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4)
  .reduce((sum, n, i) => sum + n * [0.2126, 0.7152, 0.0722][i], 0);
const faint = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !node.checkVisibility() || node.closest("title, desc, script")) continue;
  const style = getComputedStyle(node);
  const ground = behind(node);
  const ink = over(channels(node.closest("svg") ? style.fill : style.color), ground);
  const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b);
  const large = parseFloat(style.fontSize) >= 24;
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < (large ? 3 : 4.5)) faint.push([node.textContent.trim().slice(0, 40), ratio]);
}
return faint;
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for name, content in REPORTS.items():
        write_report(folder / f"{name}.html", content)
    return {name: folder / f"{name}.html" for name in REPORTS}


@pytest.fixture(scope="module")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def browser(shared_browser: Browser) -> Browser:
    shared_browser.show(1280)
    return shared_browser


@EVERY
def test_a_report_opens_quietly_and_asks_for_nothing(
    browser: Browser, pages: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    browser.open(pages[name])
    loaded = browser.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    with capsys.disabled():
        size = pages[name].stat().st_size / 1e6
        print(f"\nthe {name} report: {size:.2f} MB, open after {loaded / 1000:.2f} s", end="")
    assert browser.console() == []
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert asked == [pages[name].as_uri()]
    assert browser.run("return [...document.images].every((i) => i.complete && i.naturalWidth)")


def test_a_request_would_be_refused_and_seen(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["bare"])
    browser.run("document.body.append(Object.assign(new Image(), { src: 'http://localhost:9/' }))")
    said = browser.console()
    assert any("Content Security Policy" in line for line in said), said
    assert "http://localhost:9/" in browser.requests()  # which is how an attempt would be known


@EVERY
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(
    browser: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    browser.show(width)
    browser.open(pages[name])
    assert browser.run("return innerWidth") == width
    assert browser.run("return document.documentElement.scrollWidth") <= width
    # Nothing is cut off either: what is too wide lies in a box that scrolls.
    assert browser.run(
        "return [...document.querySelectorAll('main :is(p, h2, h3, dt, dd, li, figure, summary)')]"
        ".filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map((e) => e.textContent.slice(0, 40))"
    ) == []  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out(browser: Browser, pages: dict[str, Path], scheme: str) -> None:
    browser.show(1280, scheme=scheme)
    browser.open(pages["hostile"])
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert browser.run(FAINT) == []
    ground = browser.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]


def test_faint_text_would_be_seen(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["bare"])
    browser.run("document.querySelector('h1').style.color = '#bbb'")
    assert [text for text, _ in browser.run(FAINT)] == ["clothing"]


def test_arrow_keys_move_along_the_curves(browser: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(pages["whole"])
    slider = browser.driver.find_element("id", "epoch")
    assert slider.aria_role == "slider"
    assert slider.accessible_name.startswith("Read the curves at epoch")
    browser.run("arguments[0].focus()", slider)
    crosses = "return document.querySelector('.cross').getAttribute('d')"
    shown = "return document.getElementById('epoch-shown').textContent"
    reading = (
        "return [...document.querySelectorAll('#reading-table tbody tr')]"
        ".map((row) => row.cells[1].textContent)"
    )
    table = (
        "return [...document.querySelectorAll('#curve-val_accuracy-table tbody tr')]"
        "[arguments[0] - 1].innerText.split('\\t').slice(1)"
    )
    before = browser.run(crosses)
    assert browser.run(shown) == "30"
    browser.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert browser.run(shown) == "28"
    assert browser.run(crosses) != before
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert browser.run(reading) == browser.run(table, 28)
    assert slider.get_attribute("aria-valuetext").startswith("epoch 28, droprate 0.5: Validation")
    browser.press(Keys.HOME)
    assert browser.run(shown) == "1"
    assert browser.run(reading) == browser.run(table, 1)


def test_the_pointer_reads_the_nearest_curve(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["whole"])
    browser.run("document.getElementById('curve-panels').scrollIntoView({ behavior: 'instant' })")
    place = browser.run(
        "const line = document.querySelectorAll('svg.hover')[1].querySelector('.c3 .line');"
        "const at = line.points.getItem(19).matrixTransform(line.getScreenCTM());"
        "return [at.x, at.y];"
    )
    browser.tell("Input.dispatchMouseEvent", type="mouseMoved", x=place[0] + 2, y=place[1] + 2)
    now = browser.run("return [...document.querySelectorAll('.now')].map((e) => e.textContent)")
    assert len(now) == 4
    assert all(text.startswith("epoch 20, droprate 0.75: 0.") for text in now)


def test_a_candidate_can_be_hidden_by_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["whole"])
    seen = (
        "return [...document.querySelectorAll('#curve-panels .series')]"
        ".filter((e) => getComputedStyle(e).display !== 'none').length"
    )
    assert browser.run(seen) == 16
    browser.run("document.querySelector('#legend input').focus()")
    browser.press(" ")
    assert browser.run(seen) == 12
    assert browser.run("return document.querySelector('#reading-table tbody tr').hidden")
    browser.press(" ")
    assert browser.run(seen) == 16


def test_the_first_key_offers_to_skip_and_focus_is_seen(
    browser: Browser, pages: dict[str, Path]
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(pages["whole"])
    browser.press(Keys.TAB)
    focus = browser.driver.switch_to.active_element
    assert focus.text == "Skip to the report"
    assert browser.run("return arguments[0].getBoundingClientRect().top", focus) >= 0
    assert browser.run("return getComputedStyle(arguments[0]).outlineStyle", focus) == "solid"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "main"


def test_a_screen_reader_hears_a_name_for_every_picture(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.open(pages["whole"])
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    pictures = browser.driver.find_elements("css selector", "svg[role=img], img")
    assert len(pictures) > 30
    names = [(each.aria_role, each.accessible_name) for each in pictures]
    assert all(role in ("image", "img") and name for role, name in names), names
    wide = browser.driver.find_elements("css selector", ".scroll[tabindex]")
    assert all(each.aria_role == "group" and each.accessible_name for each in wide)


def test_without_scripts_every_number_is_there(browser: Browser, pages: dict[str, Path]) -> None:
    browser.tell("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(pages["whole"])
        html = browser.driver.find_element("tag name", "html")
        assert "js" not in html.get_attribute("class").split()
        assert not browser.driver.find_element("id", "epoch").is_displayed()
        assert "droprate 0.75" in browser.driver.find_element("id", "reading-table").text
    finally:
        browser.tell("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("name", ["whole", "large"])
def test_a_report_prints_on_paper(browser: Browser, pages: dict[str, Path], name: str) -> None:
    browser.open(pages[name])
    paper = base64.b64decode(browser.driver.print_page())
    assert paper.startswith(b"%PDF-")
    assert paper.count(b"/Type /Page\n") in range(4, 60)
    browser.show(700)  # about what a page is wide
    browser.tell("Emulation.setEmulatedMedia", media="print")
    assert not browser.driver.find_element("tag name", "nav").is_displayed()
    assert browser.run("return document.querySelector('summary').checkVisibility()") is False
    cut = "return [...document.querySelectorAll('svg, img')].filter((e) => e.checkVisibility() && "
    cut += "e.getBoundingClientRect().right > innerWidth + 1).length"
    assert browser.run(cut) == 0


def test_a_command_is_copied_by_its_button(browser: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(pages["whole"])
    browser.tell("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    button = browser.driver.find_element("css selector", "#repeat .copy")
    assert button.is_displayed()
    browser.run("arguments[0].focus()", button)
    browser.press(Keys.ENTER)
    asked = "return document.querySelector('#repeat .copy').textContent"
    assert (
        browser.driver.execute_async_script(
            "setTimeout(() => arguments[0](document.activeElement.textContent), 200)"
        )
        == browser.run(asked)
        == "Copied"
    )
    copied = browser.driver.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0])"
    )
    assert copied == browser.run("return document.querySelector('#repeat code').textContent")
    assert copied.startswith("manyheads sweep clothing --droprate")


def test_what_scrolls_on_a_phone_says_so_and_fades_until_its_end(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.show(390)
    browser.open(pages["grid"])
    wide = "return [...document.querySelectorAll('.scroll[tabindex]')]"
    fading = f"{wide}.filter((e) => e.checkVisibility() && !e.classList.contains('more')).length"
    assert browser.run(f"{wide}.length") > 2
    assert browser.run(fading) == 0
    hint = f"{wide}.every((e) => getComputedStyle(e, '::before').content.includes('scroll'))"
    assert browser.run(hint)
    browser.run("for (const each of document.querySelectorAll('.scroll')) each.scrollLeft = 9999")
    browser.driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert browser.run("return document.querySelectorAll('.scroll.more').length") == 0
    browser.show(1280)
    browser.open(pages["whole"])
    assert browser.run(f"{wide}.filter((e) => e.checkVisibility()).length") == 0
