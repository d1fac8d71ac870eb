"""A person's whole way through the studio: from photographs with wrong labels to an exported model.

The commands are real ones, the server is a process of its own, and it is killed once on the way.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.core.processes import process_start
from tests.e2e.browser import chromium
from tests.e2e.studio_page import StudioPage, StudioServer
from tests.studio_runs import until
from tests.unit.web.studio_kit import coloured_photos

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's"),
]
IMAGES = {"backbone": "efficientnet_lite0", "image_size": "128"}
PLANTED = 20


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def begun() -> Iterator[list[StudioServer]]:
    """Servers that are ended after the test, with all they have begun."""
    servers: list[StudioServer] = []
    yield servers
    for made in servers:
        made.kill()
        _end_commands(made)


def _end_commands(made: StudioServer) -> None:
    for pid in made.commands:
        if process_start(pid) is not None:
            os.killpg(pid, signal.SIGKILL)


def mislabelled_photos(clothing: Path, place: Path) -> dict[str, str]:
    """280 of the photographs, and photos.csv, which labels some wrong; the right ones by name."""
    rows: list[tuple[str, str, str]] = []
    for split, count in (("train", 20), ("validation", 8)):
        for folder in sorted((clothing / split).iterdir()):
            for file in sorted(folder.iterdir())[:count]:
                name = f"pictures/{split}/{folder.name}-{file.name}"
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place / name)
                rows.append((name, folder.name, split))
    classes = sorted({label for _, label, _ in rows})
    # Every fourteenth, with the class that is five places on: no class loses more than a few.
    wrong = {name: label for name, label, _ in rows[3 :: len(rows) // PLANTED]}
    with (place / "photos.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        for name, label, split in rows:
            other = classes[(classes.index(label) + 5) % len(classes)]
            writer.writerow((name, other if name in wrong else label, split))
    return wrong


@pytest.mark.timeout(1500)
def test_the_whole_way(
    clothing: Path, place: Path, begun: list[StudioServer], tmp_path: Path
) -> None:
    wrong = mislabelled_photos(clothing, place)
    begun.append(server := StudioServer(place))
    with chromium(tmp_path / "profile") as browser:
        page = StudioPage(browser, server.address)
        browser.show(1280)
        _find_and_fix(page, wrong)
        run = page.begin("sweep", {**IMAGES, "droprate": "0 0.5", "seeds": "6", "epochs": "60"})
        _kill_and_go_on(page, server)
        page.watch(run)
        page.wait("document.querySelector('.lead')?.textContent.includes('droprate')")
        page.is_in_order("run-done")
        _relabel_a_wrong_one(page, run)
        again = page.begin("fit", {**IMAGES, "budget": "200s", "folds": "3"})
        page.watch(again)
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
    place: Path, begun: list[StudioServer], tmp_path: Path
) -> None:
    coloured_photos(place)
    begun.append(server := StudioServer(place))
    with chromium(tmp_path / "profile") as browser:
        page = StudioPage(browser, server.address)
        page.go("data")
        page.press("Open photos.csv")
        page.wait("document.querySelector('[role=option]')")
        images = {"backbone": "mobilenet", "weights": "random:0", "image_size": "64"}
        values = {**images, "droprate": "0 0.5", "seeds": "50", "epochs": "300"}
        run = page.begin("sweep", values)
        page.wait("document.getElementById('state')?.textContent === 'running'")
        said = server.end()
        assert f"stopped {run}; to resume, in {place}: manyheads sweep photos.csv" in said
        until(lambda: not any(process_start(pid) for pid in server.commands))
        server.begin()
        page.go(f"runs/{run.replace('/', '%2F')}")
        page.wait("document.getElementById('state')?.textContent === 'stopped'")
        page.press("Resume")
        page.wait("document.getElementById('state')?.textContent === 'running'")
        page.press("Stop")
        page.wait("document.getElementById('state')?.textContent === 'stopped'")


def _suspicious(page: StudioPage) -> set[str]:
    """The names of the images that the list of findings shows now."""
    return {each.split(",")[0] for each in page.options("check-title")}


def _find_and_fix(page: StudioPage, wrong: dict[str, str]) -> None:
    """Where a label is wrong, what the check suggests is taken; other labels are kept."""
    page.go("data")
    page.press("Open photos.csv")
    page.wait("document.querySelector('[role=option]')")
    page.run(
        "const form = document.querySelector('[aria-labelledby=check-title] form');"
        "form.elements.backbone.value = 'efficientnet_lite0'; form.elements.image_size.value = 128;"
        "form.elements.similar.checked = false; form.requestSubmit();"
    )
    until(lambda: page.run("return Boolean(document.querySelector('.kinds'))"), 240)
    page.press("Suspicious labels")
    page.is_in_order("check")
    found = _suspicious(page)
    assert len(found & set(wrong)) > PLANTED / 2
    assert len(wrong) == PLANTED
    for place in range(len(found), 0, -1):
        page.run("document.querySelector('[aria-labelledby=check-title] [role=option]').focus()")
        name = page.options("check-title")[0].split(",")[0]
        page.browser.press("s" if name in wrong else "k")
        page.wait(
            "document.querySelectorAll('[aria-labelledby=check-title] [role=option]').length "
            f"=== {place - 1}"
        )
    page.press("Write the table")
    page.said("Written: photos-decided.csv")


def _kill_and_go_on(page: StudioPage, server: StudioServer) -> None:
    """The server dies while the run is at work; the next one shows it as if nothing had been."""
    running = "document.getElementById('state').textContent === 'running'"
    until(lambda: page.run(f"return {running}"), 240)
    server.kill()
    page.wait("[...document.querySelectorAll('.alert')].some((each) => each.checkVisibility())")
    assert any(process_start(pid) for pid in server.commands)
    server.begin()
    page.wait("[...document.querySelectorAll('.alert')].every((each) => !each.checkVisibility())")


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
    page.wait("document.getElementById('intake') && !document.getElementById('intake').hidden")
    photo = next((place / "pictures" / "validation").glob("*.jpg"))
    page.browser.driver.find_element("id", "files").send_keys(str(photo))
    page.wait("document.querySelector('#grid :is(.sure, .unsure)')")
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
