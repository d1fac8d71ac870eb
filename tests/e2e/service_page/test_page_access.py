"""The page with many photographs, by keyboard, on a phone, in the dark, and without scripts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.e2e.browser import Browser
from tests.e2e.test_report_browser import FAINT
from tests.page_browser import (
    BLUE,
    GREEN,
    GREY,
    NAMELESS,
    RED,
    answered,
    button,
    drop,
    set_threshold,
    until,
    visit,
)
from tests.page_server import PageServer

pytestmark = pytest.mark.when_changed("pages")


def test_two_thousand_photographs_do_not_freeze_the_page(
    page: Browser, server: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    page.tell("Performance.enable", timeDomain="threadTicks")
    page.run(
        "window.longest = 0; new PerformanceObserver((list) => { for (const each of"
        " list.getEntries()) window.longest = Math.max(longest, each.duration); })"
        ".observe({ type: 'longtask' });"
    )
    drop(page, *[(f"{n:04}.png", (RED, GREEN, BLUE)[n % 3]) for n in range(2000)])
    page.run("window.longest = 0; window.began = performance.now();")  # making them took its time
    before = busy(page)
    until(page, "return document.getElementById('said').textContent.startsWith('2,000')", 120)
    took = page.run("return performance.now() - began") / 1000
    assert sum(map(len, server.asked)) == 2000
    assert page.run("return document.querySelectorAll('#grid li').length") == 2000
    set_threshold(page, 0.9)
    for n in (0.95, 0.5):
        set_threshold(page, n)
    button(page, "hat 667").click()
    until(page, "return document.querySelectorAll('#grid li').length === 667")
    drawn = page.run(
        "return [...document.querySelectorAll('canvas')].filter((c) => c.width > 1).length"
    )
    longest, worked = page.run("return longest"), busy(page) - before
    with capsys.disabled():
        print(
            f"\n2,000 photographs: {took:.1f} s, {worked:.1f} s of the processor, longest "
            f"task {longest:.0f} ms, {drawn} thumbnails", end="",
        )  # fmt: skip
    assert drawn <= 400
    assert worked < 10  # what a busy machine makes no longer, as it does the longest task


def busy(browser: Browser) -> float:
    """The seconds of the processor that the page's scripts, styles and layout have taken."""
    metrics = browser.tell("Performance.getMetrics")["metrics"]
    parts = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    return sum(each["value"] for each in metrics if each["name"] in parts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_readable_at_every_width_and_in_the_dark(
    browser: Browser, server: PageServer, width: int, scheme: str
) -> None:
    browser.show(width, scheme=scheme)
    visit(browser, server.url)
    long = "a_name_without_a_break" * 6 + ".png"
    drop(browser, ("1.png", RED), (long, GREY), ("3.png", None), ("4.png", BLUE))
    answered(browser, 4)
    sideways = "return document.documentElement.scrollWidth"
    assert browser.run(sideways) <= width
    assert browser.run(FAINT) == []
    for number in (1, 2):
        browser.run(f"document.querySelectorAll('#grid button')[{number}].click()")
        assert browser.run(sideways) <= width
        assert browser.run("return document.getElementById('detail').scrollWidth") <= width
        assert browser.run(FAINT) == []
        browser.run("document.getElementById('detail').close()")
    ground = browser.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]


def test_every_control_has_a_name_and_a_place(page: Browser) -> None:
    drop(page, ("1.png", RED), ("2.png", GREY))
    answered(page, 2)
    assert page.run(NAMELESS) == []
    page.run("document.querySelector('#grid button').click()")
    assert page.run(NAMELESS) == []
    page.run("document.getElementById('detail').close()")
    assert page.run("return document.documentElement.lang") == "en"
    stops = "return [...document.querySelectorAll('[tabindex]')].map((e) => e.tabIndex)"
    assert max(page.run(stops)) <= 0
    assert page.run(
        "return ['header', 'nav', 'main'].map((e) => document.querySelectorAll(e).length)"
    ) == [1, 1, 1]
    assert page.run("return document.getElementById('said').getAttribute('aria-live')") == "polite"
    levels = page.run(
        "return [...document.querySelectorAll('h1, h2, h3')].filter((e) => e.checkVisibility())"
        ".map((e) => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    images = page.driver.find_elements("css selector", "img, svg[role=img]")
    assert all(each.accessible_name for each in images)


def test_the_focus_is_seen_and_the_first_key_skips(page: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    drop(page, ("1.png", RED))
    answered(page, 1)
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    seen: list[str] = []
    for _ in range(12):
        page.press(Keys.TAB)
        focus = page.driver.switch_to.active_element
        assert page.run("return getComputedStyle(arguments[0]).outlineStyle", focus) == "solid"
        seen.append(focus.accessible_name)
    assert seen[:6] == [
        "Skip to the photographs", "Photographs", "About the model", "Choose photographs",
        "Choose a folder", "Use the camera",
    ]  # fmt: skip
    page.run("document.querySelector('.skip').focus()")
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "main"


def test_a_phone_offers_its_camera_first(browser: Browser, server: PageServer) -> None:
    browser.show(390)
    visit(browser, server.url)
    ways = browser.driver.find_elements("css selector", "#ways button")
    assert [each.text for each in ways][:2] == ["Use the camera", "Choose photographs"]
    assert all(each.size["height"] >= 44 for each in ways)


def test_without_scripts_there_is_a_sentence_and_a_command(
    browser: Browser, server: PageServer
) -> None:
    browser.tell("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.driver.get(server.url)
        text = browser.driver.find_element("tag name", "main").text
        assert "needs JavaScript" in text
        assert "curl -F image=@photo.jpg" in text
        assert "Drop photographs" not in text
    finally:
        browser.tell("Emulation.setScriptExecutionDisabled", value=False)


def test_a_style_of_a_page_that_moves_little(browser: Browser, server: PageServer) -> None:
    browser.show(1280)
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.tell("Emulation.setEmulatedMedia", media="", features=features)
    visit(browser, server.url)
    zone = "return getComputedStyle(document.getElementById('zone')).transitionDuration"
    assert browser.run(zone) == "0s"
