"""What does the page of a service look like? Takes pictures of one that runs.

    manyheads serve RUN
    python -m benchmarks.service_pictures --url http://127.0.0.1:8000/ --photos DIR --out DIR

`service-WIDTH-SCHEME-*.png` are the page at the width of a screen and of a phone, in light and
dark: as it opens, with answers, with one of them open, and where the model looked. It needs
Chromium and its driver on PATH. The pictures are made to be looked at, not to be kept: the
repository has none.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.browser import Browser, chromium
from tests.page_browser import answered, until, visit

_WIDTHS = {"screen": (1280, 900), "phone": (390, 844)}
_SCHEMES = ("light", "dark")
_TALLEST = 6000  # pixels of a picture
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def main() -> None:
    options = argparse.ArgumentParser(description="Takes pictures of the page of a service.")
    options.add_argument("--url", required=True, help="address of the page")
    options.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    options.add_argument("--count", type=int, default=12, help="how many of them (default: 12)")
    options.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    args = options.parse_args()
    if not all(map(shutil.which, ("chromium", "chromedriver"))):
        sys.exit("expected chromium and chromedriver on PATH; install them")
    photographs = _photographs(args.photos, args.count)
    if not photographs:
        sys.exit(f"expected photographs below {args.photos}, found none; name another folder")
    args.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        chromium(Path(name)) as browser,
    ):
        for title, size in _WIDTHS.items():
            for scheme in _SCHEMES:
                browser.show(*size, scheme=scheme)
                for part in _parts(browser, args.url, photographs):
                    path = args.out / f"service-{title}-{scheme}-{part}.png"
                    whole = part in ("opened", "answered")
                    path.write_bytes(_picture(browser, size, scheme, whole=whole))
                    print(path)


def _photographs(folder: Path, count: int) -> list[Path]:
    """So many photographs, evenly among all of them in the order of their names."""
    found = sorted(each for each in folder.rglob("*") if each.suffix.lower() in _SUFFIXES)
    step = max(1, len(found) // count)
    return found[::step][:count]


def _parts(browser: Browser, url: str, photographs: list[Path]) -> Iterator[str]:
    """The states of the page that are worth a picture, one after the other."""
    visit(browser, url)
    yield "opened"
    files = "\n".join(str(each.absolute()) for each in photographs)
    browser.driver.find_element("id", "files").send_keys(files)
    answered(browser, len(photographs))
    yield "answered"
    browser.run("document.querySelector('#grid button').click()")
    until(browser, "return document.querySelector('#detail img')?.naturalWidth > 0")
    yield "dialog"
    browser.run("document.querySelector('#detail .looked button').click()")
    until(browser, "return !document.querySelector('#detail .looked [role=status]') || "
          "document.querySelector('#detail .map img')?.naturalWidth > 0", 60)  # fmt: skip
    yield "looked"


def _picture(browser: Browser, size: tuple[int, int], scheme: str, *, whole: bool) -> bytes:
    if whole:  # what is far from the view has no thumbnail
        height = int(browser.run("return document.documentElement.scrollHeight"))
        browser.show(size[0], min(height, _TALLEST), scheme=scheme)
        blank = "return [...document.querySelectorAll('#grid canvas')].every((c) => c.width > 1)"
        until(browser, blank)
    taken = browser.tell("Page.captureScreenshot", format="png")
    browser.show(*size, scheme=scheme)
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    main()
