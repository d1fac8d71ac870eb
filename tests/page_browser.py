"""What tests of the page of a service do in a browser, and what they read there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.e2e.browser import Browser
from tests.page_server import PageServer

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)
GREY = (120, 118, 110)  # of which nothing is sure
HOSTILE = "<img src=x onerror=alert(1)>'\"&.png"

# Files of the page's own making: pairs of a name and a colour; a colour of null is no image.
MAKE = """
const make = async (wanted) => {
  const files = [];
  for (const [name, colour] of wanted) {
    if (!colour) {
      files.push(new File(["hello, I am no image"], name, { type: "image/png" }));
      continue;
    }
    const canvas = new OffscreenCanvas(48, 32);
    const context = canvas.getContext("2d");
    context.fillStyle = `rgb(${colour.join()})`;
    context.fillRect(0, 0, 48, 32);
    files.push(new File([await canvas.convertToBlob()], name, { type: "image/png" }));
  }
  const transfer = new DataTransfer();
  files.forEach((file) => transfer.items.add(file));
  return transfer;
};
const [wanted, done] = arguments;
"""
DROP = f"""{MAKE}
make(wanted).then((dataTransfer) => {{
  const how = {{ dataTransfer, bubbles: true, cancelable: true }};
  const zone = document.getElementById("zone");
  zone.dispatchEvent(new DragEvent("dragover", how));
  const marked = zone.classList.contains("over");
  zone.dispatchEvent(new DragEvent("drop", how));
  done([marked, zone.classList.contains("over")]);
}});
"""
PASTE = f"""{MAKE}
make(wanted).then((clipboardData) => {{
  document.dispatchEvent(new ClipboardEvent("paste", {{ clipboardData, bubbles: true }}));
  done();
}});
"""
CELLS = """
return [...document.querySelectorAll("#grid li")].map((cell) => ({
  kind: cell.className,
  label: cell.querySelector(".label").textContent,
  file: cell.querySelector(".file").textContent,
  next: cell.querySelector(".next").textContent,
}))
"""
NAMELESS = """
const controls = "a[href], button, input, select, textarea, summary, [tabindex]";
return [...document.querySelectorAll(controls)].filter((e) => e.checkVisibility() && e.id !== "main"
  && e.tagName !== "SECTION" && e.tagName !== "H2"
  && !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 80))
"""


def visit(browser: Browser, url: str) -> None:
    """Open an address, and wait until the page knows its models."""
    browser.driver.get("about:blank")
    browser.console()
    browser.requests()
    browser.driver.get(url)
    until(browser, "return !document.getElementById('intake').hidden")


def elsewhere(browser: Browser, server: PageServer) -> list[str]:
    """The addresses beside the server's that the page asked for."""
    local = ("data:", "blob:", "about:", server.url)
    return [url for url in browser.requests() if not url.startswith(local)]


def until(browser: Browser, script: str, seconds: float = 20.0) -> Any:
    """What a script gives, once that is true."""
    from selenium.webdriver.support.wait import WebDriverWait

    waiting = WebDriverWait(browser.driver, seconds, 0.05)
    return waiting.until(lambda _: browser.run(script), f"never true: {script}")


def drop(browser: Browser, *files: tuple[str, tuple[int, int, int] | None]) -> Any:
    return browser.driver.execute_async_script(DROP, files)


def answered(browser: Browser, count: int) -> list[dict[str, str]]:
    """The cells of the grid, once so many have an answer."""
    script = (
        "return [...document.querySelectorAll('#grid li')]"
        ".filter((cell) => !cell.classList.contains('waiting')).length === " + str(count)
    )
    until(browser, script)
    return browser.run(CELLS)


def said(browser: Browser) -> str:
    return browser.run("return document.getElementById('said').textContent")


def text_of(browser: Browser, place: str) -> str:
    """The text that is shown in a place, with ordinary spaces."""
    script = "return document.querySelector(arguments[0]).innerText"
    return browser.run(script, place).replace("\xa0", " ")


def set_threshold(browser: Browser, value: float) -> str:
    """Move the slider; what the page says of its cost."""
    browser.driver.execute_async_script(
        "const slider = document.getElementById('least'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'));"
        "requestAnimationFrame(() => requestAnimationFrame(arguments[1]))",
        value,
    )
    return text_of(browser, "#cost")


def button(browser: Browser, words: str) -> Any:
    """The button that is called so."""
    found = browser.run(
        "return [...document.querySelectorAll('button:not(#grid *)')]"
        ".filter((e) => e.checkVisibility() && e.textContent.trim() === arguments[0])",
        words,
    )
    assert len(found) == 1, words
    return found[0]


def picture(path: Path, colour: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), colour).save(path)
    return path


def png(colour: tuple[int, int, int]) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (48, 32), colour).save(content, "PNG")
    return content.getvalue()


def saved_table(browser: Browser) -> str:
    """The text of the file that the button gives."""
    browser.run(
        "window.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { window.saved = blob; URL.createObjectURL = make;"
        "return 'blob:none'; };"
        "HTMLAnchorElement.prototype.click = function () { window.named = this.download; };"
    )
    button(browser, "Download CSV").click()
    assert browser.run("return window.named") == "clothing-answers.csv"
    return browser.driver.execute_async_script("window.saved.text().then(arguments[0])")
