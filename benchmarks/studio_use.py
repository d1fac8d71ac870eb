"""Does the studio bear hours of use? One page stays open, and one server answers it.

    python -m benchmarks studio_use      two hours on two cores; with --quick, ten minutes

A person's rounds in Chromium: look through the pictures, decide, undo, write the table, begin a
sweep and watch it, read its mistakes, compare it with the one before, try a picture, export, and
leave the page open for a while. The page is never loaded anew. The console has to stay empty, no
request may go elsewhere, and no process may be left. Memory of page and server is read each round.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import parser, show, table, write_result
from benchmarks.parts.served import resident
from manyheads.core.processes import process_start
from manyheads.core.text import counted
from tests.e2e.browser import chromium
from tests.e2e.studio_page import StudioPage, StudioServer
from tests.studio_runs import until
from tests.unit.web.studio_kit import coloured_photos

HOURS, QUICK = 2.0, 1 / 6  # a page has 60 pictures, and each round takes another
PAUSE = 120.0  # seconds of a round in which nothing is asked of the page
PATIENCE = 400.0  # seconds for what computes, beside other work
LISTED = 16  # rounds in the table, evenly among all
SWEEP = {
    "backbone": "mobilenet", "weights": "random:0", "image_size": "64", "droprate": "0 0.5",
    "seeds": "10", "epochs": "60",
}  # fmt: skip
# By a script, for the driver would hold the field that it is given, and all of its page.
CHOOSE = """
const bytes = Uint8Array.from(atob(arguments[1]), (each) => each.charCodeAt(0));
const chosen = new DataTransfer();
chosen.items.add(new File([bytes], arguments[0], { type: 'image/png' }));
const field = document.getElementById('files');
field.files = chosen.files;
field.dispatchEvent(new Event('change'));
"""
MISTAKE = "[aria-labelledby=mistakes] [role=option]"


@dataclass(frozen=True)
class Round:
    """What page and server held at the end of a round, and how long it took without its pause."""

    minutes: float
    seconds: float
    heap: int
    nodes: int
    resident: int
    files: int


def main() -> None:
    options = parser("The studio in use, for hours.")
    options.add_argument("--hours", type=float, help="how long (default: 2, quick: 10 minutes)")
    args = options.parse_args()
    hours = args.hours or (QUICK if args.quick else HOURS)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        place = folder / "place"
        place.mkdir()
        coloured_photos(place)
        server = StudioServer(place)
        held.callback(server.kill)
        browser = held.enter_context(chromium(folder / "profile"))
        browser.show(1280)
        page = StudioPage(browser, server.address)
        page.go("data")
        page.press("Open photos.csv")
        rounds, console, elsewhere = used(page, server, hours)
        browser.driver.get("about:blank")
        said = server.end()
        until(lambda: not any(process_start(pid) for pid in server.commands))
    lines = [
        f"{counted(len(rounds), 'round')} in {rounds[-1].minutes / 60:.2f} hours, each with a "
        "sweep of 20 heads and an export. The page was never loaded anew.",
        "",
        *table([("minute", "the round took, s", "page's heap, MB", "nodes of the page",
                 "server resident, MB", "its open files"), *map(row, some(rounds))]),
        "",
        f"Lines in the console: {len(console)}. Requests to elsewhere: {len(elsewhere)}. Processes "
        f"left behind: 0. The server, ended by Ctrl-C, {'had' if 'stopped' in said else 'had no'} "
        "run at work.",
    ]  # fmt: skip
    write_result(args.results, "studio-use", lines)
    for line in (*console, *elsewhere):
        print(line, file=sys.stderr)
    sys.exit(bool(console or elsewhere))


def used(
    page: StudioPage, server: StudioServer, hours: float
) -> tuple[list[Round], list[str], list[str]]:
    """Rounds until so many hours are over; lines of the console, and addresses elsewhere."""
    rounds: list[Round] = []
    console: list[str] = []
    elsewhere: list[str] = []
    started, earlier = time.monotonic(), ""
    page.browser.tell("Performance.enable")
    while (began := time.monotonic()) - started < 3600 * hours:
        decide(page, len(rounds))
        run = page.begin("sweep", SWEEP)
        page.watch(run)
        understand(page, run, earlier)
        use(page, run, server.place)
        earlier = run
        seconds = time.monotonic() - began
        page.turn(f"runs/{run.replace('/', '%2F')}")
        time.sleep(PAUSE)
        console += page.browser.console()
        elsewhere += [
            each for each in page.browser.requests()
            if each.startswith(("http:", "https:", "ws:")) and not each.startswith(server.address)
        ]  # fmt: skip
        rounds.append(Round((time.monotonic() - started) / 60, seconds, *held(page, server)))
        show(*row(rounds[-1]))
    return rounds, console, elsewhere


def held(page: StudioPage, server: StudioServer) -> tuple[int, int, int, int]:
    """Bytes and nodes of the page after a collection; resident bytes and open files of the server.

    Nodes include those that are in no document any more and that something still holds.
    """
    page.browser.tell("HeapProfiler.collectGarbage")
    measured = page.browser.tell("Performance.getMetrics")["metrics"]
    of_page = {each["name"]: int(each["value"]) for each in measured}
    process = server.process.pid
    files = sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())  # on Linux
    return of_page["JSHeapUsedSize"], of_page["Nodes"], resident(process), files


def decide(page: StudioPage, place: int) -> None:
    """Leave a picture out, undo, redo, write the table, and undo it for the next round."""
    picture = f"document.querySelectorAll('[aria-labelledby=images-title] [role=option]')[{place}]"
    page.turn("data")
    page.wait(picture)
    page.run(f"{picture}.focus()")
    page.browser.press("x")
    page.said("left out")
    page.press("Undo")
    page.press("Redo")
    page.said("Done again")
    page.press("Write the table")
    page.said("Written")
    page.press("Undo")


def understand(page: StudioPage, run: str, earlier: str) -> None:
    """Open a mistake and where the model looked; compare with the run before, if there is one."""
    page.turn(f"understand/{run.replace('/', '%2F')}")
    page.wait("document.querySelector('.confusion')")
    page.wait(f"document.querySelector({MISTAKE!r})", PATIENCE)
    page.run(f"document.querySelector({MISTAKE!r}).focus()")
    page.browser.press("\ue007")  # Enter
    page.wait("document.querySelectorAll('dialog .sides img').length === 2", PATIENCE)
    page.browser.press("\ue00c")  # Escape
    page.wait("!document.querySelector('dialog')")
    if earlier:
        page.press("Compare")
        page.wait("document.body.textContent.includes('that both runs held out')", PATIENCE)


def use(page: StudioPage, run: str, place: Path) -> None:
    """Try a picture, and export the model."""
    page.turn(f"use/{run.replace('/', '%2F')}")
    page.wait(
        "document.getElementById('intake') && !document.getElementById('intake').hidden", PATIENCE
    )
    picture = next((place / "pictures" / "validation").glob("*.png"))
    page.run(CHOOSE, picture.name, base64.b64encode(picture.read_bytes()).decode("ascii"))
    page.wait("document.querySelector('#grid :is(.sure, .unsure)')", PATIENCE)
    page.run("document.querySelector('.formats button').click()")
    page.wait("document.querySelector('.formats a')", PATIENCE)


def some(rounds: list[Round]) -> list[Round]:
    """So many rounds that a table can show, evenly among all, the first and the last included."""
    last, count = len(rounds) - 1, min(LISTED, len(rounds))
    return [rounds[round(last * place / max(count - 1, 1))] for place in range(count)]


def row(each: Round) -> tuple[str, ...]:
    return (
        f"{each.minutes:.0f}", f"{each.seconds:.1f}", f"{each.heap / 1e6:.1f}", f"{each.nodes}",
        f"{each.resident / 1e6:.0f}", f"{each.files}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
