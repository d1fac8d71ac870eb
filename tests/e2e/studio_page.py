"""The studio as a process, and its page in a browser, for those who test and measure its use."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e.browser import Browser
from tests.e2e.test_report_browser import FAINT
from tests.studio_runs import until

_PATIENCE = 60.0  # seconds
_FILL = """
for (const [name, value] of Object.entries(arguments[0])) {
  const field = document.getElementById(`field-${name}`);
  field.value = value;
  field.dispatchEvent(new Event('input'));
}
"""


class StudioServer:
    """`manyheads studio` as a process, which can be killed and begun again at the same port."""

    def __init__(self, place: Path) -> None:
        self.place, self.port, self.address = place, "0", ""
        self.begin()

    def begin(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "manyheads", "studio", str(self.place)]
        self.process = subprocess.Popen(
            [*command, "--port", self.port], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found
        self.address = found[0]
        self.port = self.address.rpartition(":")[2]

    def kill(self) -> None:
        """Kill it as a machine short of memory does."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def end(self) -> str:
        """Ctrl-C; returns what it said."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return said

    @property
    def commands(self) -> list[int]:
        """The processes that it has begun, at work or not."""
        records = (self.place / ".manyheads-studio" / "commands").glob("*.json")
        return [json.loads(each.read_text(encoding="utf-8"))["pid"] for each in records]


class StudioPage:
    """A studio's page in the browser, as a person uses it."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address

    def go(self, part: str) -> None:
        """Open a part of the studio anew."""
        self.browser.driver.get("about:blank")
        self.browser.driver.get(f"{self.address}/#{part}")

    def turn(self, part: str) -> None:
        """Go to a part of the studio as a link does, without loading the page."""
        self.run("location.hash = arguments[0]", part)

    def run(self, script: str, *arguments: object) -> Any:
        """What a script with a `return` gives in the page."""
        return self.browser.run(script, *arguments)

    def wait(self, what: str, seconds: float = _PATIENCE) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + seconds
        # As a Boolean: the driver would hold an element that it is given, and all around it.
        while not self.run(f"return Boolean({what})"):
            if time.monotonic() > end:
                text = self.run("return document.body.innerText")
                raise AssertionError(f"never: {what}; the page says:\n{text[:3000]}")
            time.sleep(0.05)

    def press(self, words: str) -> None:
        """Click the button that begins with these words."""
        self.wait(
            "(() => { const found = [...document.querySelectorAll('button')].find((each) => "
            f"each.textContent.startsWith({words!r}) && each.checkVisibility() && !each.disabled);"
            " found?.click(); return Boolean(found); })()"
        )

    def said(self, words: str) -> None:
        """Wait until the live region says something with these words."""
        self.wait(f"document.getElementById('said').textContent.includes({words!r})")

    def options(self, section: str) -> list[str]:
        """The names of the pictures in a section, as a screen reader tells them."""
        return self.run(
            "return [...document.querySelectorAll(`section[aria-labelledby=${arguments[0]}] "
            "[role=option]`)].map((each) => each.getAttribute('aria-label'))",
            section,
        )

    def shot(self, name: str) -> None:
        """Keep a picture of the whole page, where `MANYHEADS_SHOTS` names a folder for them."""
        if folder := os.environ.get("MANYHEADS_SHOTS"):
            size = self.browser.tell("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "scale": 1, "width": size["width"], "height": size["height"]}
            taken = self.browser.tell(
                "Page.captureScreenshot", captureBeyondViewport=True, clip=clip
            )
            (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))

    def is_in_order(self, name: str) -> None:
        """No text is faint, no page scrolls sideways on a phone, nothing is logged or elsewhere."""
        for scheme in ("light", "dark"):
            self.browser.show(1280, scheme=scheme)
            self.wait("document.getAnimations().length === 0")  # colours have come to their ends
            assert self.run(FAINT) == []
            self.shot(f"{name}-{scheme}")
        self.browser.show(390)
        time.sleep(0.2)
        assert self.run("return document.documentElement.scrollWidth") <= 390
        self.shot(f"{name}-phone")
        self.browser.show(1280)
        unnamed = (
            "return [...document.querySelectorAll('button, input, select, [role], img[alt]')]"
            ".filter((each) => each.checkVisibility() && each.matches('button, input, select')"
            " && !(each.getAttribute('aria-label') || each.textContent.trim()"
            " || each.labels?.length)).map((each) => each.outerHTML)"
        )
        assert self.run(unnamed) == []

    def begin(self, kind: str, values: dict[str, str]) -> str:
        """Fill in a form, read its plan, and start it; returns the run's name."""
        self.turn(f"runs/new/{kind}")
        self.wait("document.querySelector('form')")
        self.run(_FILL, values)
        self.press("Show the plan")
        ended = "document.getElementById('start') || document.querySelector('section [role=alert]')"
        until(lambda: self.run(f"return Boolean({ended})"), 240)
        assert (
            self.run("return document.querySelector('section [role=alert]')?.textContent") is None
        )
        assert "Data" in self.run("return document.querySelector('pre.plan').textContent")
        run = self.run("return document.getElementById('field-out').value")
        self.press("Start")
        self.wait("document.getElementById('state')")
        return run

    def watch(self, run: str) -> None:
        """Wait until the run that the page shows is done."""

        def ended() -> bool:
            state = self.run("return document.getElementById('state')?.textContent")
            assert state != "stopped", self.run("return document.body.innerText")
            return state == "done"

        until(ended, 600)
        assert self.run("return decodeURIComponent(location.hash)") == f"#runs/{run}"
