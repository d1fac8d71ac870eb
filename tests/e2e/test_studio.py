"""A person's whole way through the studio: from photographs with wrong labels to an exported model.

The commands are real ones, the server is a process of its own, and it is killed once on the way.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.core.processes import process_start
from tests.e2e.browser import chromium
from tests.e2e.test_studio_data import StudioPage
from tests.studio_runs import until
from tests.unit.web.studio_kit import coloured_photos

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's"),
]
CHECK = """
const body = { labels: true, similar: true, backbone: 'mobilenet', image_size: 64,
               weights: 'random:0' };
return fetch('/api/data/check', { method: 'POST', body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' } }).then((answer) => answer.ok);
"""
FILL = """
for (const [name, value] of Object.entries(arguments[0])) {
  const field = document.getElementById(`field-${name}`);
  field.value = value;
  field.dispatchEvent(new Event('input'));
}
"""
IMAGES = {"backbone": "mobilenet", "weights": "random:0", "image_size": "64"}


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StudioServer]:
    place = tmp_path / "place"
    place.mkdir()
    coloured_photos(place)
    made = StudioServer(place)
    yield made
    made.kill()
    for pid in made.commands:
        if process_start(pid) is not None:
            os.killpg(pid, signal.SIGKILL)


@pytest.mark.timeout(1500)
def test_the_whole_way(server: StudioServer, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as browser:
        page = StudioPage(browser, server.address)
        browser.show(1280)
        _find_and_fix(page)
        run = _begin(page, "sweep", {**IMAGES, "droprate": "0 0.5", "seeds": "6", "epochs": "40"})
        _kill_and_go_on(page, server)
        _watch(page, run)
        page.wait("document.querySelector('.lead')?.textContent.includes('droprate')")
        page.is_in_order("run-done")
        _relabel_a_wrong_one(page, run)
        again = _begin(page, "fit", {**IMAGES, "budget": "150s", "folds": "3"})
        _watch(page, again)
        page.wait("document.querySelector('.lead')?.textContent.includes('accuracy')")
        page.is_in_order("fit-done")
        _try_and_export(page, again, server.place)
        browser.driver.get("about:blank")
        assert [each for each in browser.console() if "ERR_CONNECTION_REFUSED" not in each] == []
        asked = [each for each in browser.requests() if each.startswith(("http:", "https:"))]
        assert asked
        assert [each for each in asked if not each.startswith(server.address)] == []
    assert "stopped" not in server.end()  # nothing was at work
    until(lambda: not any(process_start(pid) for pid in server.commands))


@pytest.mark.timeout(600)
def test_the_end_of_the_studio_leaves_a_run_that_goes_on(
    server: StudioServer, tmp_path: Path
) -> None:
    with chromium(tmp_path / "profile") as browser:
        page = StudioPage(browser, server.address)
        page.go("data")
        page.press("Open photos.csv")
        page.wait("document.querySelector('[role=option]')")
        values = {**IMAGES, "droprate": "0 0.5", "seeds": "50", "epochs": "300"}
        run = _begin(page, "sweep", values)
        page.wait("document.getElementById('state')?.textContent === 'running'")
        said = server.end()
        assert f"stopped {run}; to resume: manyheads sweep photos.csv" in said
        until(lambda: not any(process_start(pid) for pid in server.commands))
        server.begin()
        page.go(f"runs/{run.replace('/', '%2F')}")
        page.wait("document.getElementById('state')?.textContent === 'stopped'")
        page.press("Resume")
        page.wait("document.getElementById('state')?.textContent === 'running'")
        page.press("Stop")
        page.wait("document.getElementById('state')?.textContent === 'stopped'")


def _find_and_fix(page: StudioPage) -> None:
    page.go("data")
    page.press("Open photos.csv")
    page.wait("document.querySelector('[role=option]')")
    assert page.run(CHECK)
    page.go("data")
    page.wait("document.querySelector('.kinds')")
    page.press("Suspicious labels")
    page.wait("document.querySelector('section[aria-labelledby=check-title] [role=option]')")
    page.run("document.querySelector('[aria-labelledby=check-title] [role=option]').focus()")
    page.browser.press("s")
    page.wait("document.querySelectorAll('.log li').length === 1")
    page.press("Write the table")
    page.said("Written: photos-decided.csv")


def _begin(page: StudioPage, kind: str, values: dict[str, str]) -> str:
    """Fill in a form, read its plan, and start it; returns the run's name."""
    page.go(f"runs/new/{kind}")
    page.wait("document.querySelector('form')")
    page.run(FILL, values)
    page.press("Show the plan")
    page.wait("document.getElementById('start') || document.querySelector('[role=alert]')")
    assert page.run("return document.querySelector('[role=alert]')?.textContent") is None
    assert "Data" in page.run("return document.querySelector('pre.plan').textContent")
    run = page.run("return document.getElementById('field-out').value")
    page.press("Start")
    page.wait("document.getElementById('state')")
    return run


def _kill_and_go_on(page: StudioPage, server: StudioServer) -> None:
    """The server dies while the run is at work; the next one shows it as if nothing had been."""
    page.wait("document.getElementById('state').textContent === 'running'")
    server.kill()
    page.wait("[...document.querySelectorAll('.alert')].some((each) => each.checkVisibility())")
    assert any(process_start(pid) for pid in server.commands)
    server.begin()
    page.wait("[...document.querySelectorAll('.alert')].every((each) => !each.checkVisibility())")


def _watch(page: StudioPage, run: str) -> None:
    def ended() -> bool:
        state = page.run("return document.getElementById('state')?.textContent")
        assert state != "stopped", page.run("return document.body.innerText")
        return state == "done"

    until(ended, 600)
    assert page.run("return decodeURIComponent(location.hash)") == f"#runs/{run}"


def _relabel_a_wrong_one(page: StudioPage, run: str) -> None:
    page.go(f"understand/{run.replace('/', '%2F')}")
    page.wait("document.querySelector('[aria-labelledby=mistakes] [role=option]')")
    page.run("document.querySelector('[aria-labelledby=mistakes] [role=option]').focus()")
    page.browser.press("s")
    page.wait("document.querySelector('.decided')")
    page.go("data")
    page.wait("document.querySelectorAll('.log li').length >= 2")
    page.press("Write the table")
    page.said("Written")


def _try_and_export(page: StudioPage, run: str, place: Path) -> None:
    page.go(f"use/{run.replace('/', '%2F')}")
    page.wait("document.getElementById('photos')")
    photo = next((place / "pictures" / "validation").glob("owl-*.png"))
    page.browser.driver.find_element("id", "photos").send_keys(str(photo))
    page.wait("document.querySelector('.label')")
    page.run("document.querySelector('.formats button').click()")
    link = "document.querySelector('.formats a')"
    until(lambda: page.run(f"return Boolean({link})"), 240)
    assert page.run(f"return {link}.textContent") == "best.keras"
    assert (place / run / "export" / "best.keras").is_file()
    got = page.run(
        f"return fetch({link}.href).then((a) => a.arrayBuffer()).then((b) => b.byteLength)"
    )
    assert got == (place / run / "export" / "best.keras").stat().st_size
    page.is_in_order("use")
