"""A real Chromium without a window, for the tests of what it shows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip


class Browser:
    """A page at a time, and what the browser said while it was open."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Open a file; what was logged before is forgotten."""
        self.driver.get("about:blank")
        self.console()
        self.requests()
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: object) -> Any:
        """What a script with a `return` gives in the page."""
        return self.driver.execute_script(script, *arguments)

    def tell(self, command: str, **parameters: object) -> Any:
        """A command of Chromium's DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def show(self, width: int, height: int = 900, *, scheme: str = "light") -> None:
        """Show the page as wide as a device's, in light or dark."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.tell("Emulation.setEmulatedMedia", media="", features=features)

    def console(self) -> list[str]:
        """What was written to the console since the last call, errors and warnings included."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses asked for since the last call."""
        entries = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        ]

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a new profile; skip the test if there is none, unless it is required."""
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        missing = "there is no Chromium with its driver on PATH"
        if os.environ.get("MANYHEADS_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = binary
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()
